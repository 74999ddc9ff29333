#!/bin/sh
# Fills corpus/ with seeds: the samples of this repository and, where they are, the lab's captures and raw datagrams.
# Usage: fuzz/seeds.sh [FOLDER_OF_CAPTURES]
set -eu
cd "$(dirname "$0")"
captures=${1:-../../shared/captures}
targets="analyze container dtls extract inet key_log packet payload record_opening rtcp rtp rtp_extension sctp sdp signalling sip srtp stun"
for target in $targets; do
    mkdir -p "corpus/$target"
done
for sample in ../samples/*.pcap*; do
    name=$(basename "$sample")
    # A capture's first bytes say as much as all of them, and are tried a hundred times as often.
    gzip -cdf "$sample" | head -c 8000 > "corpus/analyze/$name"
    { printf '\377'; head -c 8000 "$sample"; } > "corpus/container/$name"
    # Ethernet, in frames of 255 bytes.
    { printf '\000\001\377'; head -c 8000 "$sample" | tail -c +41; } > "corpus/inet/$name"
done
cp ../samples/*.sdp corpus/sdp/
# The records and secrets of the tests' vectors, one line a seed.
grep -h '^log ' ../tests/vectors/dtls13.txt | cut -d' ' -f2- > corpus/key_log/dtls13
grep -hE '^(client|server) ' ../tests/vectors/*.txt | awk '{ print $NF }' | while read -r record; do
    { printf '\001\003'; printf '%s' "$record" | xxd -r -p; } > "corpus/record_opening/$(printf '%s' "$record" | cksum | cut -d' ' -f1)"
done
# Elements of Chromium's VP9 with layers: a dependency descriptor, and an allocation.
printf '\200\000\001\300\005\024\205\072\252\250\001\200\004\000\100\002\240\052\000\140\001\000\025\323\105' \
    > corpus/rtp_extension/descriptor
printf '\024\027\115\024\114\160\010\164\062\026\121\021\205\103\047\150\011\370\007\170\023\370\016\370\340' \
    >> corpus/rtp_extension/descriptor
printf '\003\240\135\171\254\001\235\002\363\002\220\004\001\077\000\357\024\002\177\001\337\024' \
    > corpus/rtp_extension/allocation
# Payloads: a key frame of VP8, one of VP9 with two layers, a parameter set of H.264 and of H.265, a sequence header of
# AV1, Opus of code 3.
printf '\220\200\021\020\002\000\235\001\052\200\002\340\001' > corpus/payload/vp8
printf '\056\003\001\070\001\140\001\040\002\300\002\100\202\111\203\102\040\025\360\021\360' > corpus/payload/vp9
printf '\147\102\300\025\331\001\360\307\250\214\004\100\000\000\003\000\100\000\000\005\003\305\213\222' \
    > corpus/payload/h264
printf '\102\001\002\002\040\000\000\003\000\220\000\000\003\000\000\003\000\074\000\000\240\015\110\017\034\222' \
    > corpus/payload/h265
printf '\030\010\040\000\000\014\107\266\342\155\174\220\020\320\002' > corpus/payload/av1
printf '\173\303\002\001\002\005\006\007\010\000\000' > corpus/payload/opus
# The same as packets of a stream: length, payload type with the marker bit, steps, payload.
for payload in corpus/payload/*; do
    case $(basename "$payload") in vp8) kind=207 ;; vp9) kind=210 ;; h264) kind=211 ;; h265) kind=212 ;; av1) kind=213 ;; *) kind=200 ;; esac
    length=$(wc -c < "$payload")
    for packet in 1 2; do
        printf "\\$(printf %o "$length")\\$kind\\000\\030\\002"
        cat "$payload"
    done > "corpus/extract/$(basename "$payload")"
done
# A key of each form; behind each, a packet with CSRCs and an extension under cryptex, and one with elements.
packets='\n\047\377\222\017\022\070\336\312\373\255\312\376\272\276\0\1\342\100\0\0\262\156\300\336\0\1QQQQabcdefghij\007'
packets=$packets'\026\020\220\017\022\071\336\312\373\255\312\376\272\276\276\336\0\1\020Q\040QR\007'
key=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwd
number=0
for line in "AES_CM_128_HMAC_SHA1_80:$key|7:1@ssrc=0x1234" "$key@10.0.0.1:5004-[::1]:5006" \
    "a=crypto:1 AES_CM_128_HMAC_SHA1_32 inline:$key|2^31|1:4;inline:$key UNENCRYPTED_SRTP KDR=3" \
    "--- AEAD_AES_128_GCM key AAECAwQFBgcICQoLDA0ODw== salt EBESExQVFhcYGRob" \
    "set master key/salt to 000102030405060708090a0b0c0d0e0f/101112131415161718191a1b1c1d"; do
    number=$((number + 1))
    { printf '%s' "$line"; printf "$packets"; } > "corpus/srtp/$number"
done
for sample in ../samples/*.sdp; do
    name=$(basename "$sample")
    # In 120 bytes of one direction: a frame of a WebSocket, an event, a part of a body.
    { printf '\000\001\172\202\170'; head -c 120 "$sample"; } > "corpus/signalling/frame-$name"
    { printf '\005\001\172data: '; head -c 116 "$sample" | tr '\r\n' '  '; } > "corpus/signalling/event-$name"
    { printf '\003\000\377c: application/sdp\r\nl: 200\r\n\r\n'; head -c 300 "$sample"; } > "corpus/signalling/sip-$name"
    { printf '\377c: application/sdp\r\n\r\n'; head -c 231 "$sample"; } > "corpus/sip/$name"
done
[ -d "$captures" ] || exit 0
cp "$captures"/public/sdp/*.sdp corpus/sdp/
find "$captures/public/captures" -type f -size -8k | while read -r capture; do
    name=$(basename "$capture")
    cp "$capture" "corpus/analyze/$name"
    { printf '\377'; cat "$capture"; } > "corpus/container/$name"
done
for seed in "$captures"/public/raw_seeds/*; do
    name=$(basename "$seed")
    for target in dtls rtcp rtp stun; do
        cp "$seed" "corpus/$target/$name"
    done
    { printf '\000\377'; head -c 255 "$seed"; } > "corpus/sctp/$name"
    # All protocols that a packet may be shown as.
    for protocol in 000 003 004 006 010 011 012; do
        { printf "\\$protocol\\000"; cat "$seed"; } > "corpus/packet/$protocol-$name"
    done
done
