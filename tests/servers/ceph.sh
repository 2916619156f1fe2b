#!/usr/bin/env bash
# One node of Ceph with everything in memory, and its S3 gateway on 127.0.0.1, in the foreground.
# ceph.sh FOLDER PORT ACCESS_KEY SECRET_KEY     The file READY in the folder says that it is up.
set -u
folder=$1 port=$2 access=$3 secret=$4
mkdir -p "$folder"/{mon,osd,rgw,run,logs}
export CEPH_CONF=$folder/ceph.conf
cluster=$(cat /proc/sys/kernel/random/uuid)
disk=$(cat /proc/sys/kernel/random/uuid)
monitor=v2:127.0.0.1:$((port + 1))

cat > "$CEPH_CONF" <<EOF
[global]
fsid = $cluster
mon host = $monitor
mon initial members = a
public addr = 127.0.0.1
cluster addr = 127.0.0.1
ms bind ipv6 = false
keyring = $folder/keyring
run dir = $folder/run
admin socket = $folder/run/\$cluster-\$name.asok
log file = $folder/logs/\$name.log
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 8
osd pool default pg autoscale mode = off
mon allow pool size one = true
mon osd full ratio = .99
osd crush chooseleaf type = 0
osd crush update on start = true
[mon]
mon data = $folder/mon
[osd]
osd data = $folder/osd
osd objectstore = memstore
memstore device bytes = 2147483648
osd max object name len = 2048
[client.rgw]
keyring = $folder/keyring
# Without tcp_nodelay small answers wait for the timer of the other side.
rgw frontends = beast endpoint=127.0.0.1:$port tcp_nodelay=1
rgw data = $folder/rgw
rgw enable usage log = false
rgw override bucket index max shards = 1
rgw thread pool size = 64
rgw crypt require ssl = false
EOF

pids=()
stop() {  # stop STATUS
    trap '' TERM INT
    kill "${pids[@]}" 2>/dev/null
    for _ in $(seq 20); do [ -z "$(jobs -rp)" ] && break; sleep 0.1; done
    # The gateway hangs when its monitor goes first.
    kill -9 "${pids[@]}" 2>/dev/null
    wait
    exit "$1"
}
trap 'stop 0' TERM INT

fail() {
    echo "failed: $*" >&2
    tail -n 20 "$folder"/logs/*.log >&2
    stop 1
}
# The first words to a server that is just starting may be lost.
insist() {
    for _ in 1 2 3; do "$@" >/dev/null && return; sleep 0.5; done
    fail "$*"
}
make_user() {
    local admin=(timeout 40 radosgw-admin -n client.rgw user)
    "${admin[@]}" create --uid=test --display-name=test --access-key="$access" --secret="$secret" \
        || "${admin[@]}" info --uid=test
}

monmaptool --create --clobber --addv a "[$monitor]" --fsid "$cluster" "$folder/monmap" >/dev/null
ceph-authtool --create-keyring "$folder/keyring" --gen-key -n mon. --cap mon 'allow *' >/dev/null
ceph-authtool "$folder/keyring" --gen-key -n client.admin \
    --cap mon 'allow *' --cap osd 'allow *' --cap mgr 'allow *' >/dev/null
ceph-authtool "$folder/keyring" --gen-key -n client.rgw \
    --cap mon 'allow *' --cap osd 'allow *' >/dev/null
ceph-authtool "$folder/keyring" --gen-key -n osd.0 \
    --cap mon 'allow profile osd' --cap osd 'allow *' >/dev/null
ceph-mon --mkfs -i a --monmap "$folder/monmap" --keyring "$folder/keyring" || fail "mkfs of mon"
ceph-mon -i a -f >"$folder/logs/mon.out" 2>&1 &
pids+=($!)
insist timeout 40 ceph --connect-timeout 20 osd new "$disk"
ceph-osd -i 0 --mkfs --osd-uuid "$disk" >"$folder/logs/mkfs.out" 2>&1 || fail "mkfs of osd"
ceph-osd -i 0 -f >"$folder/logs/osd.out" 2>&1 &
pids+=($!)
insist make_user
radosgw -n client.rgw -f >"$folder/logs/gateway.out" 2>&1 &
pids+=($!)
touch "$folder/READY"
wait -n
fail "one of its programs ended"
