#!/bin/sh
# Makes the samples of this folder from the lab's captures, which are not part of the repository.
# Needs tshark and editcap. Usage: samples/make.sh [FOLDER_OF_CAPTURES]
set -eu
cd "$(dirname "$0")"
captures=${1:-../../shared/captures}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# trim FROM TO FORMAT FILTER: the packets of a lab capture that a display filter chooses. The pcapng blocks of the
# recording machine stay behind: what is written comes from a bare pcap file.
trim() {
    tshark -n -r "$captures/$1" -Y "$4" -F nsecpcap -w "$work/trimmed.pcap" 2>/dev/null
    editcap -F "$3" "$work/trimmed.pcap" "$2"
}

trim lab/chromium-av-clean/capture.pcapng webrtc-call.pcapng pcapng 'frame.time_relative < 4'
trim lab/chromium-turn-udp/capture.pcapng turn-call.pcapng pcapng 'frame.time_relative < 3.5'
trim lab/chromium-ice-blocked/capture.pcapng ice-failed.pcap nsecpcap 'frame'
trim labb/gst-pcmu-impaired/captureB.pcapng pcmu-lossy.pcap pcap 'frame.time_relative < 8'
trim labb/sip-pcmu/capture.pcapng sip-call.pcap pcap 'frame.time_relative < 7 or sip'
trim labb/sctp-udp-lossy/capture.pcapng sctp-lossy.pcapng pcapng 'frame.time_relative < 4.5'
trim labb/gst-vp8-impaired/captureB.pcapng "$work/vp8-lossy.pcapng" pcapng 'frame.time_relative < 9'
gzip -9nc "$work/vp8-lossy.pcapng" > vp8-lossy.pcapng.gz
# A copy that broke off inside a packet.
head -c 61001 pcmu-lossy.pcap > cut.pcap
ls -l
