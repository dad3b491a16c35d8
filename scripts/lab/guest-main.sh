#!/bin/sh
# Second program of the guest, on the host's own files: the last bits of a running system, then the job, then power off.
. /run/lab/environment
export PATH="$LAB_PATH"
mkdir -p /dev/pts /dev/shm
mount -t devpts -o mode=620,ptmxmode=666 devpts /dev/pts
mount -t tmpfs shm /dev/shm
ln -sf /proc/self/fd /dev/fd
hostname lab
ip link set lo up
# More than 1,024 neighbours would overflow the table at its usual size; these exist in this first namespace only.
for limit in 1:16384 2:32768 3:65536; do
  echo "${limit#*:}" >"/proc/sys/net/ipv4/neigh/default/gc_thresh${limit%:*}"
done
# What the guest has to say about itself goes to the console; the job's output has two ports of its own.
port() {
  for name in /sys/class/virtio-ports/*/name; do
    [ "$(cat "$name" 2>/dev/null)" = "$1" ] && basename "$(dirname "$name")" && return
  done
}
cut -d ' ' -f 1 /proc/uptime >/run/lab/uptime
cd "$LAB_ROOT" || echo "guest: $LAB_ROOT cannot be entered"
if [ "$LAB_MODE" = shell ]; then
  stty -F /dev/hvc0 rows "$LAB_ROWS" cols "$LAB_COLUMNS" 2>/dev/null
  setsid --ctty --wait bash /run/lab/job.sh </dev/hvc0 >/dev/hvc0 2>&1
else
  setsid --wait bash /run/lab/job.sh </dev/null >"/dev/$(port out)" 2>"/dev/$(port err)"
fi
echo $? >/run/lab/status
sync
echo o >/proc/sysrq-trigger
sleep 60
