#!/bin/sh
# Makes the samples of this folder from the lab's captures, which are not part of the repository.
# Needs tshark and editcap. Usage: samples/make.sh [FOLDER_OF_CAPTURES [FOLDER_OF_CALLS]]
# The calls were recorded later, in a folder of their own; without it their samples stay as they are.
set -eu
cd "$(dirname "$0")"
captures=${1:-../../shared/captures}
calls=${2:-$captures/calls}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# trim FROM TO FORMAT FILTER: the packets of a lab capture that a display filter chooses. The pcapng blocks of the
# recording machine stay behind: what is written comes from a bare pcap file.
trim() {
    tshark -n -r "$1" -Y "$4" -F nsecpcap -w "$work/trimmed.pcap" 2>/dev/null
    editcap -F "$3" "$work/trimmed.pcap" "$2"
}

trim "$captures/lab/chromium-av-clean/capture.pcapng" webrtc-call.pcapng pcapng 'frame.time_relative < 4'
trim "$captures/lab/chromium-firefox-av/capture.pcapng" "$work/keyed.pcap" nsecpcap 'frame.time_relative >= 5.5 and frame.time_relative < 9'
editcap -F pcapng --inject-secrets "tls,$captures/lab/chromium-firefox-av/keys.log" "$work/keyed.pcap" keyed-call.pcapng
trim "$captures/lab/chromium-turn-udp/capture.pcapng" turn-call.pcapng pcapng 'frame.time_relative < 3.5'
trim "$captures/lab/chromium-ice-wrong-pwd/capture.pcapng" wrong-ice-password.pcap pcap 'frame.time_relative < 14 and (tcp or stun)'
trim "$captures/lab/chromium-ice-blocked/capture.pcapng" ice-failed.pcap nsecpcap 'frame'
trim "$captures/labb/gst-pcmu-impaired/captureB.pcapng" pcmu-lossy.pcap pcap 'frame.time_relative < 8'
trim "$captures/labb/sip-pcmu/capture.pcapng" sip-call.pcap pcap 'frame.time_relative < 7 or sip'
trim "$captures/labb/sctp-udp-lossy/capture.pcapng" sctp-lossy.pcapng pcapng 'frame.time_relative < 4.5'
trim "$captures/labb/gst-vp8-impaired/captureB.pcapng" "$work/vp8-lossy.pcapng" pcapng 'frame.time_relative < 9'
gzip -9nc "$work/vp8-lossy.pcapng" > vp8-lossy.pcapng.gz
if [ -d "$calls" ]; then
    # Without the video, 4 SSRCs, to be small.
    audio='udp'
    for ssrc in a5:1e:97:a6 a5:1c:c1:3d 49:76:2e:9a ab:ef:73:ad; do audio="$audio and udp.payload[8:4] != $ssrc"; done
    trim "$calls/02-ice-restart/a.pcap" ice-restart.pcap pcap "frame.time_relative < 9 and $audio"
    trim "$calls/05-dtls-blocked-AtoB/a.pcap" dtls-blocked.pcap pcap 'udp'
    trim "$calls/06-turn-tcp/a.pcap" turn-tcp.pcap pcap 'frame.time_relative < 3.8 and tcp'
fi
# A copy that broke off inside a packet.
head -c 61001 pcmu-lossy.pcap > cut.pcap
ls -l
