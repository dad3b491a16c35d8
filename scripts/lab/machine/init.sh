#!/bin/busybox sh
# First program of a machine of the pair: loads what reaches its disk, makes the root file system of it, and hands over to systemd.
# The image is the read-only lower layer of an overlay; whatever is written goes to a second disk, and is there at the next boot.
busybox=/bin/busybox
fail() {
  echo "machine: $*"
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
$busybox mount -t ext4 -o ro,noload /dev/vda /lower || fail "cannot mount the image"
$busybox mount -t ext4 /dev/vdb /upper || fail "cannot mount the disk that is written to"
$busybox mkdir -p /upper/files /upper/work
$busybox mount -t overlay -o lowerdir=/lower,upperdir=/upper/files,workdir=/upper/work overlay /root ||
  fail "cannot mount the overlay"
$busybox mkdir -p /root/usr/lib/modules /root/media
$busybox mount -t 9p -o $options,ro,cache=loose modules /root/usr/lib/modules || fail "cannot mount the modules"
# A medium with what the operator brings along, and what makes this machine itself: its name, its addresses.
$busybox mount -t 9p -o $options,ro,cache=none media /root/media || fail "cannot mount the medium"
$busybox cp -af /root/media/system/. /root/ || fail "cannot write the machine's own files"
for kernel in proc sys dev; do $busybox mount -o move /$kernel /root/$kernel; done
exec $busybox switch_root /root /sbin/init
