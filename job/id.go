package job

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"sync/atomic"
	"time"
)

// ID names a job: a UUID of version 7 (RFC 9562) in its canonical lower-case
// form. IDs made by one process sort in the order in which they were made, and
// those of several processes by their clocks' milliseconds.
type ID string

// lastStamp is the latest 60-bit time stamp handed out by NewID: milliseconds
// in the upper 48 bits, a counter in the lower 12.
var lastStamp atomic.Int64

// NewID returns an ID that is greater than every one this process made before.
// It is safe for concurrent use.
//
// The 12 bits after the version are the fraction of the millisecond (RFC 9562
// §6.2, method 3), raised by one where two calls would meet; the last 62 bits
// are random.
func NewID() ID {
	now := time.Now()
	stamp := now.UnixMilli()<<12 | int64(now.Nanosecond()%1e6)<<12/1e6
	for {
		last := lastStamp.Load()
		stamp = max(stamp, last+1)
		if lastStamp.CompareAndSwap(last, stamp) {
			break
		}
	}
	var u [16]byte
	binary.BigEndian.PutUint64(u[:8], uint64(stamp>>12)<<16|0x7000|uint64(stamp&0xfff))
	_, _ = rand.Read(u[8:]) // crypto/rand.Read never returns an error
	u[8] = u[8]&0x3f | 0x80
	return formatID(u)
}

func formatID(u [16]byte) ID {
	var s [36]byte
	hex.Encode(s[:8], u[:4])
	hex.Encode(s[9:13], u[4:6])
	hex.Encode(s[14:18], u[6:8])
	hex.Encode(s[19:23], u[8:10])
	hex.Encode(s[24:], u[10:])
	s[8], s[13], s[18], s[23] = '-', '-', '-', '-'
	return ID(s[:])
}

// ParseID accepts the canonical form of a UUID, in lower case, of any version.
// Anything else answers ErrMalformedID.
func ParseID(s string) (ID, error) {
	if len(s) != 36 {
		return "", fmt.Errorf("%w: want 36 characters, got %d", ErrMalformedID, len(s))
	}
	for i := range len(s) {
		c := s[i]
		switch i {
		case 8, 13, 18, 23:
			if c != '-' {
				return "", fmt.Errorf("%w: want %q at position %d", ErrMalformedID, "-", i+1)
			}
		default:
			if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
				return "", fmt.Errorf("%w: want a lower-case hexadecimal digit at position %d", ErrMalformedID, i+1)
			}
		}
	}
	return ID(s), nil
}

// IDBound returns the smallest ID of version 7 with t's millisecond: every ID
// made at or after it sorts at or above the bound.
func IDBound(t time.Time) ID {
	var u [16]byte
	binary.BigEndian.PutUint64(u[:8], uint64(max(t.UnixMilli(), 0))<<16|0x7000)
	u[8] = 0x80
	return formatID(u)
}
