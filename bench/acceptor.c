/* A real server for TCP checks that is never the bottleneck: accepts on every address of its host and closes at once. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int argc, char **argv) {
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_ANY)};
    int on = 1;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (argc != 2 || listener < 0) return 64;
    any.sin_port = htons((uint16_t)atoi(argv[1]));
    if (setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
        bind(listener, (struct sockaddr *)&any, sizeof any) < 0 || listen(listener, 4096) < 0) {
        perror("acceptor");
        return 1;
    }
    puts("listening");
    fflush(stdout);
    for (;;) {
        int connection = accept(listener, NULL, NULL);
        if (connection >= 0) close(connection);
    }
}
