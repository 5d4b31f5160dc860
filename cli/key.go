package cli

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"unicode"
)

// Key is an API key to be recorded. Its secret is not in it.
type Key struct {
	ID   string // the <id> of aok_<id>_<secret>
	Name string // unique
	Role string // viewer, submitter, operator or admin
	Hash string // SHA-256 of the whole key, in hexadecimal
}

// Sizes of a key's parts in bytes, before they are written in hexadecimal.
const (
	keyIDBytes     = 6
	keySecretBytes = 32
	maxKeyName     = 64
)

// newKey makes a key. The text is what its owner gets, and nobody keeps.
func newKey(name, role string) (key Key, text string) {
	var bits [keyIDBytes + keySecretBytes]byte
	_, _ = rand.Read(bits[:]) // crypto/rand.Read never returns an error
	id := hex.EncodeToString(bits[:keyIDBytes])
	text = "aok_" + id + "_" + hex.EncodeToString(bits[keyIDBytes:])
	hash := sha256.Sum256([]byte(text))
	return Key{ID: id, Name: name, Role: role, Hash: hex.EncodeToString(hash[:])}, text
}

// Run makes a key, records it and prints it.
func (c *keysCreateCmd) Run(ctx context.Context, s *session) error {
	c.Name = strings.TrimSpace(c.Name)
	switch {
	case !c.Direct:
		return usage("keys create: say --direct; it writes the key to the ledger of --config")
	case c.Name == "" || len(c.Name) > maxKeyName || strings.IndexFunc(c.Name, func(r rune) bool { return !unicode.IsPrint(r) }) >= 0:
		return usage("--name: must be 1 to %d printable characters", maxKeyName)
	}
	cfg, err := s.load(c.Config, true, nil)
	if err != nil {
		return err
	}
	key, text := newKey(c.Name, c.Role)
	if err := s.hooks.CreateKey(ctx, cfg, key); err != nil {
		return err
	}
	shown := struct {
		ID   string `json:"id"`
		Name string `json:"name"`
		Role string `json:"role"`
		Key  string `json:"key"`
	}{key.ID, key.Name, key.Role, text}
	s.tell("keep the key now; it is not shown again")
	return s.print(shown, []string{"id", shown.ID}, func() [][]string {
		return [][]string{{"name", shown.Name}, {"role", shown.Role}, {"key", shown.Key}}
	})
}
