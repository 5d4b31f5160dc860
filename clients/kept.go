package clients

import (
	"encoding/binary"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/asyncops/asyncops/httpop"
)

// kept is an answer as it is kept.
type kept struct {
	terms

	status  int
	at      time.Time // when the upstream last said that it holds
	headers map[string]string
	body    []byte // shared with others: nobody changes it
}

// keptStatuses are those of answers that may be kept: those that say all of
// themselves (RFC 9110 §15.1), without 206, which is a part.
var keptStatuses = []int{200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501}

// keepable reports whether the answer may be kept at all.
func (k *kept) keepable() bool { return !k.never && slices.Contains(keptStatuses, k.status) }

// validates reports whether the upstream can be asked whether it holds.
func (k *kept) validates() bool { return k.headers["etag"] != "" || k.headers["last-modified"] != "" }

// since is how long ago the upstream sent it, or said that it holds.
func (k *kept) since(now time.Time) time.Duration { return max(now.Sub(k.at), 0) }

// conditions are the headers that ask whether it holds.
func (k *kept) conditions() map[string]string {
	headers := map[string]string{}
	if etag := k.headers["etag"]; etag != "" {
		headers["If-None-Match"] = etag
	}
	if modified := k.headers["last-modified"]; modified != "" {
		headers["If-Modified-Since"] = modified
	}
	return headers
}

// renewed is k after a 304 with these headers (RFC 9111 §3.2).
func (k *kept) renewed(headers map[string]string, now time.Time, took time.Duration) *kept {
	merged := maps.Clone(k.headers)
	for name, value := range headers {
		switch name {
		case "connection", "content-encoding", "content-length", "content-range", "content-type", "keep-alive", "transfer-encoding", "upgrade":
		default:
			merged[name] = value
		}
	}
	for _, name := range []string{"age", "date"} {
		if _, ok := headers[name]; !ok {
			delete(merged, name) // those of the first answer
		}
	}
	return &kept{terms: termsOf(merged, now, took), status: k.status, at: now, headers: merged, body: k.body}
}

// response is the answer for somebody else than who asked for it first.
func (k *kept) response(now time.Time) *httpop.Response {
	headers := maps.Clone(k.headers)
	headers["age"] = strconv.FormatInt(int64((k.age+k.since(now))/time.Second), 10)
	return &httpop.Response{Status: k.status, Headers: headers, Body: slices.Clone(k.body), Cached: true}
}

// What a kept answer is as bytes: the fixed part, then each header's name and
// value with their lengths before them, then the body.
const (
	keptVersion = 1 // changes whenever older processes could not read it
	keptFixed   = 1 + 1 + 2 + 4 + 4*8

	keptAsk    = 1 << 0
	keptStrict = 1 << 1
	keptSaid   = 1 << 2
)

func (k *kept) pack() []byte {
	size := keptFixed + len(k.body)
	for name, value := range k.headers {
		size += len(name) + len(value) + 2*binary.MaxVarintLen32
	}
	flags := byte(0)
	for _, f := range []struct {
		set bool
		bit byte
	}{{k.ask, keptAsk}, {k.strict, keptStrict}, {k.said, keptSaid}} {
		if f.set {
			flags |= f.bit
		}
	}
	data := append(make([]byte, 0, size), keptVersion, flags)
	data = binary.BigEndian.AppendUint16(data, uint16(k.status))
	data = binary.BigEndian.AppendUint32(data, uint32(len(k.headers)))
	for _, n := range []int64{k.at.UnixNano(), int64(k.fresh), int64(k.age), int64(k.ifError)} {
		data = binary.BigEndian.AppendUint64(data, uint64(n))
	}
	for name, value := range k.headers {
		data = append(binary.AppendUvarint(data, uint64(len(name))), name...)
		data = append(binary.AppendUvarint(data, uint64(len(value))), value...)
	}
	return append(data, k.body...)
}

// unpackFixed reads what pack wrote, without headers and body; nil for nothing
// and for what it did not write.
func unpackFixed(data []byte) *kept {
	if len(data) < keptFixed || data[0] != keptVersion {
		return nil
	}
	number := func(i int) int64 { return int64(binary.BigEndian.Uint64(data[8+8*i:])) }
	return &kept{
		status: int(binary.BigEndian.Uint16(data[2:])), at: time.Unix(0, number(0)),
		terms: terms{
			ask: data[1]&keptAsk != 0, strict: data[1]&keptStrict != 0, said: data[1]&keptSaid != 0,
			fresh: time.Duration(number(1)), age: time.Duration(number(2)), ifError: time.Duration(number(3)),
		},
	}
}

// unpack reads what pack wrote; nil as with unpackFixed.
func unpack(data []byte) *kept {
	k := unpackFixed(data)
	if k == nil {
		return nil
	}
	rest := data[keptFixed:]
	text := func() (string, bool) {
		n, head := binary.Uvarint(rest)
		if head <= 0 || n > uint64(len(rest)-head) {
			return "", false
		}
		s := string(rest[head : head+int(n)])
		rest = rest[head+int(n):]
		return s, true
	}
	k.headers = map[string]string{}
	for range binary.BigEndian.Uint32(data[4:]) {
		name, ok := text()
		value, also := text()
		if !ok || !also {
			return nil
		}
		k.headers[name] = value
	}
	k.body = rest
	return k
}
