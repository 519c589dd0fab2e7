package main

import (
	"strings"
	"testing"
	"time"

	"github.com/pion/dtls/v2"
	"github.com/pion/webrtc/v3"
)

// sha1 is what Debian's GStreamer has for SRTP, and nothing else.
const sha1 = dtls.SRTP_AES128_CM_HMAC_SHA1_80

// TestEncoderPublishesAndOthersView: an encoder by WHIP, viewers by WHEP, before it and after it, an ICE restart on either side,
// and the end by DELETE.
func TestEncoderPublishesAndOthersView(t *testing.T) {
	t.Parallel()
	p := launch(t, t.TempDir())
	room := p.openRoom(t, "saal")
	whip, whep := "/api/v1/rooms/saal/whip", "/api/v1/rooms/saal/whep"
	early := p.tool(t, whep, room.ViewToken).views().post()
	encoder := p.tool(t, whip, room.PublishToken, sha1).publishes().post().await(webrtc.PeerConnectionStateConnected)
	early.await(webrtc.PeerConnectionStateConnected)
	early.follow(20)
	late := p.tool(t, whep, room.ViewToken, sha1).views().post().await(webrtc.PeerConnectionStateConnected)
	late.follow(20)

	if a := late.request("PATCH", late.at, "application/trickle-ice-sdpfrag", "a=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n", "If-Match", late.tag); a.StatusCode != 204 {
		t.Errorf("candidates: %d %s", a.StatusCode, text(a))
	}
	encoder.restartICE()
	late.follow(100)
	late.restartICE()
	late.follow(100)
	early.follow(1)

	// Another encoder in the same room has a seat of its own.
	second := p.tool(t, whip, room.PublishToken).publishes().post().await(webrtc.PeerConnectionStateConnected)
	if publishers, viewers := p.load(t, "saal"); publishers != 2 || viewers != 2 {
		t.Errorf("%d publish, %d view", publishers, viewers)
	}
	for _, x := range []*tool{encoder, second, late} {
		if a := x.request("DELETE", x.at, "", ""); a.StatusCode != 200 {
			t.Errorf("DELETE: %d %s", a.StatusCode, text(a))
		}
		if a := x.request("DELETE", x.at, "", ""); a.StatusCode != 404 {
			t.Errorf("DELETE again: %d %s", a.StatusCode, text(a))
		}
	}
	if publishers, viewers := p.load(t, "saal"); publishers != 0 || viewers != 1 {
		t.Errorf("%d publish, %d view", publishers, viewers)
	}
	if said := p.output(); strings.Contains(said, room.PublishToken) || strings.Contains(said, room.ViewToken) {
		t.Error("a token was logged")
	}
}

// TestEncoderComesBack: the room and its tokens outlive the daemon; an encoder that goes without a word loses its seat.
func TestEncoderComesBack(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := launch(t, dir)
	room := p.openRoom(t, "saal")
	p.tool(t, "/api/v1/rooms/saal/whip", room.PublishToken).publishes().post().await(webrtc.PeerConnectionStateConnected)
	p.kill()
	p = launch(t, dir)
	encoder := p.tool(t, "/api/v1/rooms/saal/whip", room.PublishToken).publishes().post().await(webrtc.PeerConnectionStateConnected)
	encoder.close()
	silent := p.tool(t, "/api/v1/rooms/saal/whip", room.PublishToken).publishes()
	if a := silent.request("POST", p.url+silent.endpoint, "application/sdp", silent.local(nil)); a.StatusCode != 201 { // and never connects
		t.Fatalf("POST: %d %s", a.StatusCode, text(a))
	}
	for end := time.Now().Add(2 * patience); ; {
		publishers, _ := p.load(t, "saal")
		if publishers == 0 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("%d seats of encoders that have gone", publishers)
		}
		time.Sleep(100 * time.Millisecond) // the box's own time, in another process
	}
	if a := encoder.request("DELETE", encoder.at, "", ""); a.StatusCode != 404 {
		t.Errorf("a lost seat answers %d", a.StatusCode)
	}
}
