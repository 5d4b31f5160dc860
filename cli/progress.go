package cli

import (
	"fmt"
	"strings"
	"time"
)

const (
	barWidth    = 30
	barInterval = 100 * time.Millisecond // between two drawings
)

// bar shows on the terminal how far a long work has come; elsewhere it shows
// nothing.
type bar struct {
	s     *session
	doing string
	total int64 // 0: not known
	drawn time.Time
	shown bool // something stands in the current line
}

func newBar(s *session, doing string, total int64) *bar {
	return &bar{s: s, doing: doing, total: total}
}

// show draws the bar, unless it was drawn a moment ago.
func (b *bar) show(done int64, detail string) {
	if !b.s.Terminal || time.Since(b.drawn) < barInterval {
		return
	}
	b.drawn, b.shown = time.Now(), true
	line := b.doing
	if b.total > 0 {
		part := min(float64(done)/float64(b.total), 1)
		full := int(part * barWidth)
		line += fmt.Sprintf(" [%s%s] %3.0f%%", strings.Repeat("#", full), strings.Repeat(".", barWidth-full), part*100)
	}
	_, _ = fmt.Fprintf(b.s.Stderr, "\r\x1b[K%s  %s", line, detail) // nowhere else to say it
}

// end takes the bar off the line. It may be shown again.
func (b *bar) end() {
	if b.shown {
		_, _ = fmt.Fprint(b.s.Stderr, "\r\x1b[K") // nowhere else to say it
	}
	b.shown = false
}
