/*
 * holdfast.node: the system calls that Node does not offer, one to one, on Node-API.
 *
 * Every protocol is written in TypeScript; nothing here knows what a packet means. A function takes numbers and
 * Uint8Arrays, makes one system call and returns its value, or -errno. Wrong arguments throw: no value that
 * JavaScript can pass reaches memory that it does not own.
 *
 * Readiness comes from libuv's uv_poll: watch() names the callback, arm() the events, unwatch() ends it. Node ships no
 * header for libuv that a package may rely on, so the seven functions used are declared below; their ABI is fixed
 * within libuv 1.x, and the size of uv_poll_t is checked when the addon is loaded.
 *
 * Descriptors are opened close-on-exec, whatever the caller asks: check scripts must not inherit raw sockets.
 */
#define _GNU_SOURCE
#define NAPI_VERSION 8
#include <node_api.h>

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <linux/filter.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

/* ---- libuv, by hand -------------------------------------------------------------------------------------------- */

typedef struct uv_loop_s uv_loop_t;
typedef struct holdfast_poll uv_poll_t; /* opaque here; room is reserved in struct watch */

extern int uv_poll_init(uv_loop_t *loop, uv_poll_t *handle, int fd);
extern int uv_poll_start(uv_poll_t *handle, int events, void (*callback)(uv_poll_t *, int status, int events));
extern int uv_poll_stop(uv_poll_t *handle);
extern void uv_close(uv_poll_t *handle, void (*callback)(uv_poll_t *));
extern void uv_ref(uv_poll_t *handle);
extern void uv_unref(uv_poll_t *handle);
extern size_t uv_handle_size(int type);

enum { UV_POLL_TYPE = 8, UV_ALL_EVENTS = 1 | 2 | 4 | 8 };

/* uv_poll_t is 160 bytes on 64-bit Linux. */
#define POLL_ROOM 256

/* ---- state ----------------------------------------------------------------------------------------------------- */

struct addon;

struct watch {
    /* First, so that a uv_poll_t pointer is also the watch's. */
    union {
        char room[POLL_ROOM];
        void *aligned;
        int64_t aligned_too;
    } poll;
    struct addon *addon;
    napi_ref callback;
    int fd;
    bool closing;
};

/* One per environment (main thread or worker). */
struct addon {
    napi_env env;
    uv_loop_t *loop;
    /* Watch of each descriptor, NULL where there is none; grows to the highest descriptor, bounded by RLIMIT_NOFILE. */
    struct watch **watches;
    size_t watches_length;
    /* Handles that libuv has not given back yet. */
    size_t handles;
    bool ending;
    napi_async_cleanup_hook_handle cleanup;
};

static uv_poll_t *poll_of(struct watch *watch) { return (uv_poll_t *)(void *)watch->poll.room; }

static struct watch *watch_at(const struct addon *addon, int fd) {
    if (fd < 0 || (size_t)fd >= addon->watches_length) return NULL;
    return addon->watches[fd];
}

/* ---- arguments and results ------------------------------------------------------------------------------------- */

static napi_value throw_argument(napi_env env, const char *what, const char *expected) {
    char message[160];
    snprintf(message, sizeof message, "%s must be %s", what, expected);
    napi_throw_type_error(env, "ERR_INVALID_ARG_VALUE", message);
    return NULL;
}

static bool get_integer(napi_env env, napi_value value, double lowest, double highest, double *out) {
    double number;
    if (napi_get_value_double(env, value, &number) != napi_ok) return false;
    /* Also false for NaN. */
    if (!(number >= lowest && number <= highest)) return false;
    if (number != (double)(int64_t)number) return false;
    *out = number;
    return true;
}

static bool get_i32(napi_env env, napi_value value, const char *what, int *out) {
    double number;
    if (!get_integer(env, value, INT32_MIN, INT32_MAX, &number)) {
        throw_argument(env, what, "a whole number of 32 bits");
        return false;
    }
    *out = (int)number;
    return true;
}

static bool get_u32(napi_env env, napi_value value, const char *what, uint32_t *out) {
    double number;
    if (!get_integer(env, value, 0, UINT32_MAX, &number)) {
        throw_argument(env, what, "a whole number, 0 to 4294967295");
        return false;
    }
    *out = (uint32_t)number;
    return true;
}

struct bytes {
    void *data;
    size_t length;
};

static bool is_nothing(napi_env env, napi_value value) {
    napi_valuetype type;
    return napi_typeof(env, value, &type) == napi_ok && (type == napi_null || type == napi_undefined);
}

static bool get_array(napi_env env, napi_value value, napi_typedarray_type wanted, void **data, size_t *length) {
    bool is_typed = false;
    napi_typedarray_type type;
    if (napi_is_typedarray(env, value, &is_typed) != napi_ok || !is_typed) return false;
    if (napi_get_typedarray_info(env, value, &type, length, data, NULL, NULL) != napi_ok || type != wanted) return false;
    /* A detached or empty array may have no memory at all. */
    if (*data == NULL) *length = 0;
    return *length <= INT_MAX / sizeof(uint32_t);
}

static bool get_bytes(napi_env env, napi_value value, const char *what, struct bytes *out) {
    if (get_array(env, value, napi_uint8_array, &out->data, &out->length)) return true;
    throw_argument(env, what, "a Uint8Array");
    return false;
}

static bool get_bytes_or_null(napi_env env, napi_value value, const char *what, struct bytes *out) {
    out->data = NULL;
    out->length = 0;
    if (is_nothing(env, value)) return true;
    return get_bytes(env, value, what, out);
}

static bool get_address(napi_env env, napi_value value, const char *what, struct bytes *out) {
    if (!get_bytes(env, value, what, out)) return false;
    if (out->length <= sizeof(struct sockaddr_storage)) return true;
    throw_argument(env, what, "at most 128 bytes");
    return false;
}

static napi_value number(napi_env env, int64_t value) {
    napi_value result;
    return napi_create_int32(env, (int32_t)value, &result) == napi_ok ? result : NULL;
}

/* The value of a system call, or -errno. Must follow the call directly. */
static napi_value outcome(napi_env env, int64_t value) { return number(env, value < 0 ? -errno : value); }

/* Fetches exactly COUNT arguments; missing ones are undefined and fail their check. */
#define ARGUMENTS(COUNT)                                                                       \
    napi_value args[COUNT];                                                                    \
    size_t argc = COUNT;                                                                       \
    void *bound = NULL;                                                                        \
    if (napi_get_cb_info(env, info, &argc, args, NULL, &bound) != napi_ok) return NULL;        \
    struct addon *addon = bound;                                                               \
    (void)addon

#define RETRY(RESULT, CALL)                                                                    \
    do {                                                                                       \
        (RESULT) = (CALL);                                                                     \
    } while ((RESULT) < 0 && errno == EINTR)

/* ---- sockets --------------------------------------------------------------------------------------------------- */

static napi_value js_socket(napi_env env, napi_callback_info info) {
    ARGUMENTS(3);
    int domain, type, protocol;
    if (!get_i32(env, args[0], "domain", &domain) || !get_i32(env, args[1], "type", &type) ||
        !get_i32(env, args[2], "protocol", &protocol))
        return NULL;
    return outcome(env, socket(domain, type | SOCK_CLOEXEC, protocol));
}

static napi_value js_bind(napi_env env, napi_callback_info info) {
    ARGUMENTS(2);
    int fd;
    struct bytes address;
    if (!get_i32(env, args[0], "fd", &fd) || !get_address(env, args[1], "address", &address)) return NULL;
    return outcome(env, bind(fd, address.data, (socklen_t)address.length));
}

static napi_value js_connect(napi_env env, napi_callback_info info) {
    ARGUMENTS(2);
    int fd;
    struct bytes address;
    if (!get_i32(env, args[0], "fd", &fd) || !get_address(env, args[1], "address", &address)) return NULL;
    return outcome(env, connect(fd, address.data, (socklen_t)address.length));
}

static napi_value js_close(napi_env env, napi_callback_info info) {
    ARGUMENTS(1);
    int fd;
    if (!get_i32(env, args[0], "fd", &fd)) return NULL;
    /* libuv would go on polling whatever gets the number next. */
    if (watch_at(addon, fd) != NULL) return throw_argument(env, "fd", "unwatched before it is closed");
    return outcome(env, close(fd));
}

/* Options whose value holds a pointer that the kernel writes through: xtables and zero-copy receive. Nobody here needs them. */
static bool holds_pointer(int level, int name) {
    if (level == 0 /* SOL_IP */ || level == 41 /* SOL_IPV6 */) return name == 64 || name == 96 || name == 128;
    return level == 6 /* SOL_TCP */ && name == 35 /* TCP_ZEROCOPY_RECEIVE */;
}

static napi_value js_setsockopt(napi_env env, napi_callback_info info) {
    ARGUMENTS(4);
    int fd, level, name;
    struct bytes value;
    if (!get_i32(env, args[0], "fd", &fd) || !get_i32(env, args[1], "level", &level) ||
        !get_i32(env, args[2], "name", &name) || !get_bytes(env, args[3], "value", &value))
        return NULL;
    if (holds_pointer(level, name)) return throw_argument(env, "name", "an option without pointers");
    return outcome(env, setsockopt(fd, level, name, value.data, (socklen_t)value.length));
}

/* SO_ATTACH_FILTER, whose value holds a pointer: the program is an array of struct sock_filter, 8 bytes each. */
static napi_value js_attach_filter(napi_env env, napi_callback_info info) {
    ARGUMENTS(2);
    int fd;
    struct bytes program;
    if (!get_i32(env, args[0], "fd", &fd) || !get_bytes(env, args[1], "program", &program)) return NULL;
    size_t count = program.length / sizeof(struct sock_filter);
    if (program.length % sizeof(struct sock_filter) != 0 || count == 0 || count > BPF_MAXINSNS)
        return throw_argument(env, "program", "1 to 4096 instructions of 8 bytes");
    struct sock_fprog fprog = {.len = (unsigned short)count, .filter = program.data};
    return outcome(env, setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &fprog, sizeof fprog));
}

/* Returns the length of the value. */
static napi_value js_getsockopt(napi_env env, napi_callback_info info) {
    ARGUMENTS(4);
    int fd, level, name;
    struct bytes value;
    if (!get_i32(env, args[0], "fd", &fd) || !get_i32(env, args[1], "level", &level) ||
        !get_i32(env, args[2], "name", &name) || !get_bytes(env, args[3], "value", &value))
        return NULL;
    if (holds_pointer(level, name)) return throw_argument(env, "name", "an option without pointers");
    socklen_t length = (socklen_t)value.length;
    int result = getsockopt(fd, level, name, value.data, &length);
    return outcome(env, result < 0 ? result : (int64_t)length);
}

/* Returns the length of the address, which may exceed the buffer's. */
static napi_value js_getsockname(napi_env env, napi_callback_info info) {
    ARGUMENTS(2);
    int fd;
    struct bytes address;
    if (!get_i32(env, args[0], "fd", &fd) || !get_bytes(env, args[1], "address", &address)) return NULL;
    socklen_t length = (socklen_t)address.length;
    int result = getsockname(fd, address.data, &length);
    return outcome(env, result < 0 ? result : (int64_t)length);
}

/* sendmsg(fd, data, address | null, control | null, flags) */
static napi_value js_sendmsg(napi_env env, napi_callback_info info) {
    ARGUMENTS(5);
    int fd, flags;
    struct bytes data, address = {NULL, 0}, control;
    if (!get_i32(env, args[0], "fd", &fd) || !get_bytes(env, args[1], "data", &data) ||
        (!is_nothing(env, args[2]) && !get_address(env, args[2], "address", &address)) ||
        !get_bytes_or_null(env, args[3], "control", &control) || !get_i32(env, args[4], "flags", &flags))
        return NULL;
    struct iovec part = {data.data, data.length};
    struct msghdr message = {
        .msg_name = address.data,
        .msg_namelen = (socklen_t)address.length,
        .msg_iov = &part,
        .msg_iovlen = 1,
        .msg_control = control.data,
        .msg_controllen = control.length,
    };
    ssize_t sent;
    RETRY(sent, sendmsg(fd, &message, flags | MSG_NOSIGNAL));
    return outcome(env, sent);
}

/* recvmsg(fd, data, address | null, control | null, facts, flags); facts: Int32Array of address length, control length, flags */
static napi_value js_recvmsg(napi_env env, napi_callback_info info) {
    ARGUMENTS(6);
    int fd, flags;
    struct bytes data, address, control;
    void *facts_data;
    size_t facts_length;
    if (!get_i32(env, args[0], "fd", &fd) || !get_bytes(env, args[1], "data", &data) ||
        !get_bytes_or_null(env, args[2], "address", &address) || !get_bytes_or_null(env, args[3], "control", &control) ||
        !get_i32(env, args[5], "flags", &flags))
        return NULL;
    if (!get_array(env, args[4], napi_int32_array, &facts_data, &facts_length) || facts_length < 3)
        return throw_argument(env, "facts", "an Int32Array of at least 3");
    struct iovec part = {data.data, data.length};
    struct msghdr message = {
        .msg_name = address.data,
        .msg_namelen = (socklen_t)address.length,
        .msg_iov = &part,
        .msg_iovlen = 1,
        .msg_control = control.data,
        .msg_controllen = control.length,
    };
    ssize_t received;
    /* Packet sockets refuse the flag; descriptors can only come in control data. */
    int own_flags = control.data == NULL ? 0 : MSG_CMSG_CLOEXEC;
    RETRY(received, recvmsg(fd, &message, flags | own_flags));
    if (received < 0) return outcome(env, received);
    int32_t *facts = facts_data;
    facts[0] = address.data == NULL ? 0 : (int32_t)message.msg_namelen;
    facts[1] = (int32_t)message.msg_controllen;
    /* The kernel hands our own flag back. */
    facts[2] = message.msg_flags & ~own_flags;
    return number(env, received);
}

/* ---- epoll and timerfd ----------------------------------------------------------------------------------------- */

static napi_value js_epoll_create1(napi_env env, napi_callback_info info) {
    ARGUMENTS(1);
    int flags;
    if (!get_i32(env, args[0], "flags", &flags)) return NULL;
    return outcome(env, epoll_create1(flags | EPOLL_CLOEXEC));
}

/* epoll_ctl(epfd, op, fd, events, data) */
static napi_value js_epoll_ctl(napi_env env, napi_callback_info info) {
    ARGUMENTS(5);
    int epfd, op, fd;
    uint32_t events, data;
    if (!get_i32(env, args[0], "epfd", &epfd) || !get_i32(env, args[1], "op", &op) ||
        !get_i32(env, args[2], "fd", &fd) || !get_u32(env, args[3], "events", &events) ||
        !get_u32(env, args[4], "data", &data))
        return NULL;
    struct epoll_event event = {.events = events, .data.u32 = data};
    return outcome(env, epoll_ctl(epfd, op, fd, &event));
}

/* epoll_wait(epfd, ready, timeoutMs); ready: Uint32Array filled with pairs of events and data. Returns the pairs. */
static napi_value js_epoll_wait(napi_env env, napi_callback_info info) {
    enum { AT_ONCE = 256 };
    ARGUMENTS(3);
    int epfd, timeout;
    void *ready_data;
    size_t ready_length;
    if (!get_i32(env, args[0], "epfd", &epfd) || !get_i32(env, args[2], "timeout", &timeout)) return NULL;
    if (!get_array(env, args[1], napi_uint32_array, &ready_data, &ready_length) || ready_length < 2)
        return throw_argument(env, "ready", "a Uint32Array of at least 2");
    struct epoll_event events[AT_ONCE];
    size_t room = ready_length / 2;
    int count;
    RETRY(count, epoll_wait(epfd, events, room < AT_ONCE ? (int)room : AT_ONCE, timeout));
    uint32_t *ready = ready_data;
    for (int i = 0; i < count; i++) {
        ready[2 * i] = events[i].events;
        ready[2 * i + 1] = events[i].data.u32;
    }
    return outcome(env, count);
}

static napi_value js_timerfd_create(napi_env env, napi_callback_info info) {
    ARGUMENTS(2);
    int clock, flags;
    if (!get_i32(env, args[0], "clock", &clock) || !get_i32(env, args[1], "flags", &flags)) return NULL;
    return outcome(env, timerfd_create(clock, flags | TFD_CLOEXEC));
}

/* timerfd_settime(fd, flags, seconds, nanoseconds): one expiry, no interval; 0, 0 disarms. Either way an expiry that waits is forgotten. */
static napi_value js_timerfd_settime(napi_env env, napi_callback_info info) {
    ARGUMENTS(4);
    int fd, flags;
    double seconds;
    uint32_t nanoseconds;
    if (!get_i32(env, args[0], "fd", &fd) || !get_i32(env, args[1], "flags", &flags)) return NULL;
    if (!get_integer(env, args[2], 0, 9007199254740991.0, &seconds))
        return throw_argument(env, "seconds", "a whole number of 0 or more");
    if (!get_u32(env, args[3], "nanoseconds", &nanoseconds)) return NULL;
    struct itimerspec when = {.it_value = {.tv_sec = (time_t)seconds, .tv_nsec = (long)nanoseconds}};
    return outcome(env, timerfd_settime(fd, flags, &when, NULL));
}

/* ---- process --------------------------------------------------------------------------------------------------- */

/* sched_setscheduler(pid, policy, priority); pid 0 = the calling thread */
static napi_value js_sched_setscheduler(napi_env env, napi_callback_info info) {
    ARGUMENTS(3);
    int pid, policy, priority;
    if (!get_i32(env, args[0], "pid", &pid) || !get_i32(env, args[1], "policy", &policy) ||
        !get_i32(env, args[2], "priority", &priority))
        return NULL;
    struct sched_param parameter = {.sched_priority = priority};
    return outcome(env, sched_setscheduler(pid, policy, &parameter));
}

/* The addresses of a process are below 2^53, so that a number holds them. */
static bool get_range(napi_env env, const napi_value *args, void **address, size_t *length) {
    double first, count;
    if (!get_integer(env, args[0], 0, 9007199254740991.0, &first)) {
        throw_argument(env, "address", "a whole number of 0 or more");
        return false;
    }
    if (!get_integer(env, args[1], 0, 9007199254740991.0, &count)) {
        throw_argument(env, "length", "a whole number of 0 or more");
        return false;
    }
    *address = (void *)(uintptr_t)first;
    *length = (size_t)count;
    return true;
}

/* mlock(address, length): not mlockall, because V8 gives pages of its own back with a call that the kernel refuses for
   locked ones, and ends the process. */
static napi_value js_mlock(napi_env env, napi_callback_info info) {
    ARGUMENTS(2);
    void *address;
    size_t length;
    if (!get_range(env, args, &address, &length)) return NULL;
    return outcome(env, mlock(address, length));
}

static napi_value js_munlock(napi_env env, napi_callback_info info) {
    ARGUMENTS(2);
    void *address;
    size_t length;
    if (!get_range(env, args, &address, &length)) return NULL;
    return outcome(env, munlock(address, length));
}

/* Moves the calling thread only: sockets opened by this addon follow, libuv's thread pool (files, DNS) stays behind. */
static napi_value js_setns(napi_env env, napi_callback_info info) {
    ARGUMENTS(2);
    int fd, type;
    if (!get_i32(env, args[0], "fd", &fd) || !get_i32(env, args[1], "type", &type)) return NULL;
    return outcome(env, setns(fd, type));
}

/* ---- readiness ------------------------------------------------------------------------------------------------- */

static void on_ready(uv_poll_t *handle, int status, int events) {
    struct watch *watch = (struct watch *)(void *)handle;
    napi_env env = watch->addon->env;
    napi_handle_scope scope;
    if (watch->closing || napi_open_handle_scope(env, &scope) != napi_ok) return;
    napi_value callback, receiver, args[2], error;
    if (napi_get_reference_value(env, watch->callback, &callback) == napi_ok &&
        napi_get_global(env, &receiver) == napi_ok && napi_create_int32(env, status, &args[0]) == napi_ok &&
        napi_create_int32(env, events, &args[1]) == napi_ok) {
        /* The watch may be gone when this returns. */
        napi_status made = napi_make_callback(env, NULL, receiver, callback, 2, args, NULL);
        if (made == napi_pending_exception && napi_get_and_clear_last_exception(env, &error) == napi_ok)
            napi_fatal_exception(env, error);
    }
    napi_close_handle_scope(env, scope);
}

static void end_when_idle(struct addon *addon) {
    if (!addon->ending || addon->handles > 0) return;
    napi_async_cleanup_hook_handle cleanup = addon->cleanup;
    free(addon->watches);
    free(addon);
    napi_remove_async_cleanup_hook(cleanup);
}

static void on_closed(uv_poll_t *handle) {
    struct watch *watch = (struct watch *)(void *)handle;
    struct addon *addon = watch->addon;
    free(watch);
    addon->handles -= 1;
    end_when_idle(addon);
}

static void stop_watch(struct addon *addon, struct watch *watch) {
    addon->watches[watch->fd] = NULL;
    watch->closing = true;
    napi_delete_reference(addon->env, watch->callback);
    uv_poll_stop(poll_of(watch));
    uv_close(poll_of(watch), on_closed);
}

/* watch(fd, callback): callback(status, events) once armed; status < 0 means that the watch stopped (POLLERR). One per descriptor. */
static napi_value js_watch(napi_env env, napi_callback_info info) {
    ARGUMENTS(2);
    int fd;
    napi_valuetype type;
    if (!get_i32(env, args[0], "fd", &fd)) return NULL;
    if (napi_typeof(env, args[1], &type) != napi_ok || type != napi_function)
        return throw_argument(env, "callback", "a function");
    if (addon->ending) return number(env, -ECANCELED);
    if (fd < 0) return number(env, -EBADF);
    if (watch_at(addon, fd) != NULL) return number(env, -EEXIST);

    struct watch *watch = calloc(1, sizeof *watch);
    if (watch == NULL) return number(env, -ENOMEM);
    watch->addon = addon;
    watch->fd = fd;
    /* Also tells whether the number is an open descriptor, before the table grows for it. */
    int status = uv_poll_init(addon->loop, poll_of(watch), fd);
    if (status < 0) {
        free(watch);
        return number(env, status);
    }
    addon->handles += 1;
    if ((size_t)fd >= addon->watches_length) {
        size_t length = (size_t)fd + 16;
        struct watch **grown = realloc(addon->watches, length * sizeof *grown);
        if (grown == NULL) {
            watch->closing = true;
            uv_close(poll_of(watch), on_closed);
            return number(env, -ENOMEM);
        }
        memset(grown + addon->watches_length, 0, (length - addon->watches_length) * sizeof *grown);
        addon->watches = grown;
        addon->watches_length = length;
    }
    if (napi_create_reference(env, args[1], 1, &watch->callback) != napi_ok) {
        watch->closing = true;
        uv_close(poll_of(watch), on_closed);
        return number(env, -ENOMEM);
    }
    addon->watches[fd] = watch;
    return number(env, 0);
}

/* arm(fd, events): 1 readable, 2 writable, 4 disconnect, 8 priority; 0 pauses */
static napi_value js_arm(napi_env env, napi_callback_info info) {
    ARGUMENTS(2);
    int fd, events;
    if (!get_i32(env, args[0], "fd", &fd) || !get_i32(env, args[1], "events", &events)) return NULL;
    if ((events & ~UV_ALL_EVENTS) != 0) return throw_argument(env, "events", "a sum of 1, 2, 4 and 8");
    struct watch *watch = watch_at(addon, fd);
    if (watch == NULL) return number(env, -ENOENT);
    return number(env, events == 0 ? uv_poll_stop(poll_of(watch)) : uv_poll_start(poll_of(watch), events, on_ready));
}

/* hold(fd, on): whether this watch keeps the event loop alive; it does unless told otherwise */
static napi_value js_hold(napi_env env, napi_callback_info info) {
    ARGUMENTS(2);
    int fd;
    bool on;
    if (!get_i32(env, args[0], "fd", &fd)) return NULL;
    if (napi_get_value_bool(env, args[1], &on) != napi_ok) return throw_argument(env, "on", "a boolean");
    struct watch *watch = watch_at(addon, fd);
    if (watch == NULL) return number(env, -ENOENT);
    if (on)
        uv_ref(poll_of(watch));
    else
        uv_unref(poll_of(watch));
    return number(env, 0);
}

static napi_value js_unwatch(napi_env env, napi_callback_info info) {
    ARGUMENTS(1);
    int fd;
    if (!get_i32(env, args[0], "fd", &fd)) return NULL;
    struct watch *watch = watch_at(addon, fd);
    if (watch == NULL) return number(env, -ENOENT);
    stop_watch(addon, watch);
    return number(env, 0);
}

/* ---- module ---------------------------------------------------------------------------------------------------- */

static void on_environment_end(napi_async_cleanup_hook_handle handle, void *data) {
    struct addon *addon = data;
    addon->cleanup = handle;
    addon->ending = true;
    for (size_t fd = 0; fd < addon->watches_length; fd++)
        if (addon->watches[fd] != NULL) stop_watch(addon, addon->watches[fd]);
    end_when_idle(addon);
}

NAPI_MODULE_INIT() {
    static const struct {
        const char *name;
        napi_callback function;
    } functions[] = {
        {"socket", js_socket},
        {"bind", js_bind},
        {"connect", js_connect},
        {"close", js_close},
        {"setsockopt", js_setsockopt},
        {"attach_filter", js_attach_filter},
        {"getsockopt", js_getsockopt},
        {"getsockname", js_getsockname},
        {"sendmsg", js_sendmsg},
        {"recvmsg", js_recvmsg},
        {"epoll_create1", js_epoll_create1},
        {"epoll_ctl", js_epoll_ctl},
        {"epoll_wait", js_epoll_wait},
        {"timerfd_create", js_timerfd_create},
        {"timerfd_settime", js_timerfd_settime},
        {"sched_setscheduler", js_sched_setscheduler},
        {"mlock", js_mlock},
        {"munlock", js_munlock},
        {"setns", js_setns},
        {"watch", js_watch},
        {"arm", js_arm},
        {"hold", js_hold},
        {"unwatch", js_unwatch},
    };
    size_t room = uv_handle_size(UV_POLL_TYPE);
    if (room == (size_t)-1 || room > POLL_ROOM) {
        napi_throw_error(env, "ERR_LIBUV", "this Node's uv_poll_t is not the one holdfast.node was written for");
        return NULL;
    }
    struct addon *addon = calloc(1, sizeof *addon);
    if (addon == NULL) return NULL;
    addon->env = env;
    struct uv_loop_s *loop = NULL;
    if (napi_get_uv_event_loop(env, &loop) != napi_ok ||
        napi_add_async_cleanup_hook(env, on_environment_end, addon, NULL) != napi_ok) {
        free(addon);
        napi_throw_error(env, "ERR_LIBUV", "no event loop");
        return NULL;
    }
    addon->loop = loop;
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        napi_value function;
        if (napi_create_function(env, functions[i].name, NAPI_AUTO_LENGTH, functions[i].function, addon, &function) != napi_ok ||
            napi_set_named_property(env, exports, functions[i].name, function) != napi_ok)
            return NULL;
    }
#ifdef HOLDFAST_SOURCE
    napi_value source;
    if (napi_create_string_utf8(env, HOLDFAST_SOURCE, NAPI_AUTO_LENGTH, &source) == napi_ok)
        napi_set_named_property(env, exports, "source", source);
#endif
    return exports;
}
