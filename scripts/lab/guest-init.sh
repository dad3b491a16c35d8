#!/bin/busybox sh
# First program of the guest: loads what reaches the host's files, makes the root file system of them, and hands over.
# The host's / is the read-only lower layer of an overlay; whatever is written goes to memory and ends with the guest.
busybox=/bin/busybox
fail() {
  echo "guest: $*"
  $busybox sync
  echo o >/proc/sysrq-trigger
  $busybox sleep 60
}
$busybox mount -t proc proc /proc
$busybox mount -t sysfs sysfs /sys
$busybox mount -t devtmpfs devtmpfs /dev
for module in /modules/*.ko; do
  $busybox insmod "$module" || fail "cannot load $module"
done
options=trans=virtio,version=9p2000.L,msize=512000
$busybox mount -t 9p -o $options,cache=none share /share || fail "cannot mount the share for results"
$busybox mount -t 9p -o $options,ro,cache=loose host /lower || fail "cannot mount the host's files"
$busybox mount -t tmpfs -o size=60% upper /upper || fail "cannot mount a tmpfs"
$busybox mkdir /upper/files /upper/work
$busybox mount -t overlay -o lowerdir=/lower,upperdir=/upper/files,workdir=/upper/work overlay /root ||
  fail "cannot mount the overlay"
. /share/environment
for own in tmp run var/lib; do
  $busybox mount -t tmpfs -o mode=755 "$own" "/root/$own" || fail "cannot mount /$own"
done
$busybox chmod 1777 /root/tmp
$busybox mkdir -p /root/run/lab /root/usr/lib/modules /root/run/lock
# Where the checkout or Node lies in a folder that has just been covered, it shows through again.
for kept in "$LAB_ROOT" "$LAB_CACHE" "$LAB_NODE"; do
  case "$kept" in
    /tmp/* | /run/* | /var/lib/*)
      $busybox mkdir -p "/root$kept"
      $busybox mount -o bind "/upper/files$kept" "/root$kept" 2>/dev/null || $busybox mount -o bind "/lower$kept" "/root$kept"
      ;;
  esac
done
$busybox mount -o bind "/lower$LAB_MODULES" /root/usr/lib/modules || fail "cannot bind the modules"
$busybox mount -o move /share /root/run/lab
for kernel in proc sys dev; do $busybox mount -o move /$kernel /root/$kernel; done
exec $busybox switch_root /root /bin/sh /run/lab/main.sh
