package clients_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/asyncops/asyncops/clients"
)

// The rules of RFC 9111 §4.2 and §5.2, by the headers of an answer.
func TestTerms(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	const unsaid = time.Duration(-1)
	date := func(ago time.Duration) string { return now.Add(-ago).Format("Mon, 02 Jan 2006 15:04:05 GMT") }
	for _, tt := range []struct {
		name      string
		headers   map[string]string
		keep, ask bool
		left      time.Duration
	}{
		{"nothing", map[string]string{}, true, false, unsaid},
		{"max-age", map[string]string{"cache-control": "max-age=60"}, true, false, time.Minute},
		{"in capitals, with space", map[string]string{"cache-control": " Public ,  MAX-AGE = 60 "}, true, false, time.Minute},
		{"in quotes", map[string]string{"cache-control": `max-age="60"`}, true, false, time.Minute},
		{"the first of two", map[string]string{"cache-control": "max-age=60, max-age=600"}, true, false, time.Minute},
		{"inside another's quotes", map[string]string{"cache-control": `ext="a, no-store, \", max-age=1", max-age=60`}, true, false, time.Minute},
		{"negative", map[string]string{"cache-control": "max-age=-1"}, true, false, 0},
		{"empty", map[string]string{"cache-control": "max-age="}, true, false, 0},
		{"too large", map[string]string{"cache-control": "max-age=99999999999999999999"}, true, false, 1 << 31 * time.Second},
		{"an age", map[string]string{"cache-control": "max-age=60", "age": "20"}, true, false, 40 * time.Second},
		{"an age that is none", map[string]string{"cache-control": "max-age=60", "age": "old"}, true, false, time.Minute},
		{"a date", map[string]string{"cache-control": "max-age=60", "date": date(45 * time.Second)}, true, false, 15 * time.Second},
		{"the older of both", map[string]string{"cache-control": "max-age=60", "date": date(10 * time.Second), "age": "20"}, true, false, 40 * time.Second},
		{"a date to come", map[string]string{"cache-control": "max-age=60", "date": date(-time.Hour)}, true, false, time.Minute},
		{"Expires", map[string]string{"expires": date(-time.Minute), "date": date(0)}, true, false, time.Minute},
		{"Expires without a date", map[string]string{"expires": date(-time.Minute)}, true, false, time.Minute},
		{"Expires in the past", map[string]string{"expires": date(time.Minute)}, true, false, 0},
		{"Expires that is no date", map[string]string{"expires": "0"}, true, false, 0},
		{"two Expires", map[string]string{"expires": date(-time.Minute) + ", " + date(-time.Hour)}, true, false, 0},
		{"both", map[string]string{"cache-control": "max-age=60", "expires": date(-time.Hour)}, true, false, time.Minute},
		{"no-store", map[string]string{"cache-control": "max-age=60, No-Store"}, false, false, time.Minute},
		{"no-cache", map[string]string{"cache-control": "no-cache, max-age=60"}, true, true, time.Minute},
		{"no-cache of a field", map[string]string{"cache-control": `no-cache="set-cookie", max-age=60`}, true, true, time.Minute},
		{"private of a field", map[string]string{"cache-control": `private="x-user", max-age=60`}, true, false, time.Minute},
		{"s-maxage", map[string]string{"cache-control": "s-maxage=600"}, true, false, unsaid},
		{"vary", map[string]string{"vary": "accept-encoding"}, true, false, unsaid},
		{"vary of more", map[string]string{"vary": "Accept-Encoding, Origin"}, false, false, unsaid},
		{"vary of all", map[string]string{"vary": "*"}, false, false, unsaid},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			keep, ask, left := clients.Terms(tt.headers, now)
			if keep != tt.keep || ask != tt.ask || left != tt.left {
				t.Errorf("%v: keep %t, ask %t, fresh for %s; want %t, %t, %s", tt.headers, keep, ask, left, tt.keep, tt.ask, tt.left)
			}
		})
	}
}

// FuzzKept feeds what Redis might hold: it is refused, or is an answer.
func FuzzKept(f *testing.F) {
	f.Add(clients.Packed(200, map[string]string{"etag": `"a"`, "content-type": "text/plain"}, []byte("body")))
	f.Add(clients.Packed(204, nil, nil))
	f.Add([]byte{1})
	f.Fuzz(func(t *testing.T, data []byte) {
		again, ok := clients.Repacked(data)
		if !ok {
			return
		}
		if third, ok := clients.Repacked(again); !ok || len(third) != len(again) || !bytes.Equal(third[:40], again[:40]) {
			t.Errorf("what was packed again is not what was packed: %q, %q", again, third)
		}
	})
}
