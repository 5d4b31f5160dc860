package config

import (
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"
)

// redacted is what is shown in place of a secret.
const redacted = "[secret]"

// secretMaxAge is how old what was read from a secret's file may be.
const secretMaxAge = 10 * time.Second

// Secret is text that must not be shown. Whatever prints, logs or marshals it
// gets "[secret]", or nothing when there is none; Reveal alone gives the text.
// A Secret that came from ${file:…} follows its file. The zero value is the
// empty secret. Copies share what was read; all methods are safe for
// concurrent use.
type Secret struct {
	src  func() *source      // nil if empty; a function, for fmt would look through a pointer
	part func(string) string // picks the secret out of the source's text; nil: all of it
}

// NewSecret returns a Secret with a text that does not change.
func NewSecret(text string) Secret {
	if text == "" {
		return Secret{}
	}
	return (&source{text: text}).secret()
}

// Reveal returns the text. If the text came from a file that was read 10 s
// ago or longer, it is read again first; while the file cannot be read, is
// empty, or holds what the setting would refuse, the last good text stands.
func (s Secret) Reveal() string {
	if s.src == nil {
		return ""
	}
	text := s.src().current()
	if s.part != nil {
		return s.part(text)
	}
	return text
}

// IsZero reports whether the secret is empty.
func (s Secret) IsZero() bool { return s.Reveal() == "" }

// Equal reports whether both reveal the same text, in constant time.
func (s Secret) Equal(other Secret) bool {
	return subtle.ConstantTimeCompare([]byte(s.Reveal()), []byte(other.Reveal())) == 1
}

// String returns "[secret]", or "" for the empty secret.
func (s Secret) String() string {
	if s.IsZero() {
		return ""
	}
	return redacted
}

// Format writes what String does, whatever the verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// MarshalText writes what String does; encoding/json and YAML use it too.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue is what slog writes: what String returns.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// pick returns the part of s that f finds in its text, following the same file.
func (s Secret) pick(f func(string) string) Secret {
	if s.src == nil || f(s.Reveal()) == "" {
		return Secret{}
	}
	return Secret{src: s.src, part: f}
}

// onlyIf makes Reveal keep the last text for which ok holds. It is called
// before the Secret is shared.
func (s Secret) onlyIf(ok func(string) bool) {
	if s.src != nil {
		s.src().accept = ok
	}
}

// source is the text behind the Secrets of one setting.
type source struct {
	template template          // how to read the text again; nil: it does not change
	accept   func(string) bool // whether a changed text will do; nil: any that is not empty

	mu     sync.Mutex
	text   string    // guarded by mu if template is set, else constant
	readAt time.Time // guarded by mu
}

// newSource remembers a text and, if part of it came from files, how to read
// it again.
func newSource(t template, text string) *source {
	if !t.hasFile() {
		t = nil
	}
	return &source{template: t, text: text, readAt: time.Now()}
}

// secret returns the whole text as a Secret.
func (s *source) secret() Secret { return Secret{src: func() *source { return s }} }

// current returns the text, at most secretMaxAge old if its files can be read.
func (s *source) current() string {
	if s.template == nil {
		return s.text
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.readAt) < secretMaxAge {
		return s.text
	}
	s.readAt = time.Now()
	if text, err := s.template.render(); err == nil && text != "" && (s.accept == nil || s.accept(text)) {
		s.text = text
	}
	return s.text
}
