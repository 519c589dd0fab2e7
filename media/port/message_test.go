package port_test

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/binary"
	"encoding/hex"
	"hash/crc32"
	"strings"
	"testing"
)

// attr is one attribute of a message under construction.
type attr struct {
	typ   uint16
	value []byte
}

const (
	aUsername     = 0x0006
	aIntegrity    = 0x0008
	aPeer         = 0x0012
	aData         = 0x0013
	aTransport    = 0x0019
	aXORMapped    = 0x0020
	aPriority     = 0x0024
	aUseCandidate = 0x0025
	aSoftware     = 0x8022
	aFingerprint  = 0x8028
	aControlling  = 0x802a
	aNetworkInfo  = 0xc057 // Chromium's

	tBinding        = 0x0001
	tBindingSuccess = 0x0101
	tSend           = 0x0016
)

// raw builds a message of attributes as they are, right or wrong, in a right envelope.
func raw(typ uint16, id [12]byte, attrs ...attr) []byte {
	b := binary.BigEndian.AppendUint16(nil, typ)
	b = append(b, 0, 0, 0x21, 0x12, 0xa4, 0x42)
	b = append(b, id[:]...)
	for _, a := range attrs {
		b = appendAttr(b, a)
	}
	return b
}

func appendAttr(b []byte, a attr) []byte {
	b = binary.BigEndian.AppendUint16(b, a.typ)
	b = binary.BigEndian.AppendUint16(b, uint16(len(a.value)))
	b = append(b, a.value...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)-20))
	return b
}

func seal(b []byte, password string) []byte {
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)-20+24))
	h := hmac.New(sha1.New, []byte(password))
	h.Write(b)
	return appendAttr(b, attr{aIntegrity, h.Sum(nil)})
}

func fingerprint(b []byte) []byte {
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)-20+8))
	return appendAttr(b, attr{aFingerprint, binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(b)^0x5354554e)})
}

// binding is the connectivity check that Chromium sends.
func binding(id [12]byte, username, password string, nominate bool) []byte {
	attrs := []attr{
		{aUsername, []byte(username)},
		{aNetworkInfo, []byte{0, 1, 0, 10}},
		{aControlling, []byte{1, 2, 3, 4, 5, 6, 7, 8}},
	}
	if nominate {
		attrs = append(attrs, attr{aUseCandidate, nil})
	}
	attrs = append(attrs, attr{aPriority, []byte{0x6e, 0, 1, 0xff}})
	return fingerprint(seal(raw(tBinding, id, attrs...), password))
}

// success is an agent's answer to a check.
func success(id [12]byte, password string) []byte {
	return fingerprint(seal(raw(tBindingSuccess, id, attr{aXORMapped, []byte{0, 1, 1, 2, 3, 4, 5, 6}}), password))
}

func unhex(tb testing.TB, s string) []byte {
	tb.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// vectors are the samples of RFC 5769.
func vectors(tb testing.TB) map[string][]byte {
	return map[string][]byte{
		"2.1 request": unhex(tb, `00010058 2112a442 b7e7a701 bc34d686 fa87dfae 80220010 5354554e 20746573 7420636c 69656e74
			00240004 6e0001ff 80290008 932ff9b1 51263b36 00060009 6576746a 3a683676 59202020
			00080014 9aeaa70c bfd8cb56 781ef2b5 b2d3f249 c1b571a2 80280004 e57a3bcf`),
		"2.2 IPv4 response": unhex(tb, `0101003c 2112a442 b7e7a701 bc34d686 fa87dfae 8022000b 74657374 20766563 746f7220
			00200008 0001a147 e112a643 00080014 2b91f599 fd9e90c3 8c7489f9 2af9ba53 f06be7d7 80280004 c07d4c96`),
		"2.3 IPv6 response": unhex(tb, `01010048 2112a442 b7e7a701 bc34d686 fa87dfae 8022000b 74657374 20766563 746f7220
			00200014 0002a147 0113a9fa a5d3f179 bc25f4b5 bed2b9d9
			00080014 a382954e 4be67bf1 1784c97c 8292c275 bfe3ed41 80280004 c8fb0b4c`),
		"2.4 long-term credentials": unhex(tb, `00010060 2112a442 78ad3433 c6ad72c0 29da412e
			00060012 e3839ee3 8388e383 aae38383 e382afe3 82b90000
			0015001c 662f2f34 39396b39 35346436 4f4c3334 6f4c3946 53547679 36347341
			0014000b 6578616d 706c652e 6f726700 00080014 f6702465 6dd64a3e 02b8e071 2e85c9a2 8ca89666`),
	}
}

// killer is the packet of CVE-2026-54909: a Send indication, 32 bytes in all, that ends with an empty XOR-PEER-ADDRESS.
func killer() []byte {
	return raw(tSend, [12]byte{1}, attr{aData, []byte{1, 2, 3, 4}}, attr{aPeer, nil})
}
