package testkit

import (
	"bytes"
	"sync"
)

// maxOutput bounds what is kept of a process's output, in bytes; the oldest
// lines go first.
const maxOutput = 4 << 20

// output keeps the end of what a process wrote and tells those who wait for
// more. It is safe for concurrent use.
type output struct {
	mu      sync.Mutex
	data    []byte        // guarded by mu
	changed chan struct{} // guarded by mu; closed and replaced by each write
}

func newOutput() *output { return &output{changed: make(chan struct{})} }

// Write keeps p. It never fails.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.data = append(o.data, p...)
	if excess := len(o.data) - maxOutput; excess > 0 {
		if end := bytes.IndexByte(o.data[excess:], '\n'); end >= 0 {
			excess += end + 1
		}
		o.data = bytes.Clone(o.data[excess:])
	}
	close(o.changed)
	o.changed = make(chan struct{})
	return len(p), nil
}

// String returns what was kept.
func (o *output) String() string {
	text, _ := o.read()
	return text
}

// read returns what was kept and a channel that is closed by the next write.
func (o *output) read() (string, <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return string(o.data), o.changed
}

// tail returns the last lines of the output, for a failure's message.
func (o *output) tail() string {
	const maxTail = 4 << 10
	text := o.String()
	if len(text) > maxTail {
		text = "… " + text[len(text)-maxTail:]
	}
	return text
}
