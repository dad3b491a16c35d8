#!/bin/bash
# Runs what the scenario types: each line on the port is a number and a command in base64; each answer is the number, the exit
# status, and what was said, in base64. Commands do not wait for each other.
for port in /sys/class/virtio-ports/*; do
  [ "$(cat "$port/name")" = agent ] && device=/dev/${port##*/}
done
exec 3<>"$device"
mkdir -p /run/agent
answer() {
  local said="/run/agent/$1"
  bash -c "$(base64 -d <<<"$2")" </dev/null >"$said.out" 2>"$said.err" 3>&-
  local status=$?
  {
    flock 9
    echo "$1 $status $(base64 -w 0 "$said.out") $(base64 -w 0 "$said.err")" >&3
  } 9>/run/agent/lock
  rm -f "$said.out" "$said.err"
}
cd /root || exit
echo ready >&3
while read -r number command <&3; do answer "$number" "$command" & done
