package ledger

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"github.com/asyncops/asyncops/job"
)

// Key is an API key without its secret.
type Key struct {
	ID        string // the <id> of aok_<id>_<secret>
	Name      string
	Hash      string // SHA-256 of the whole key, in hexadecimal
	Grants    Grants
	CreatedAt time.Time
	ExpiresAt time.Time // zero: never
	RevokedAt time.Time // zero: not
}

// Grants is what a key may do.
type Grants struct {
	Role      string   `json:"role,omitempty"`
	Scopes    []string `json:"scopes,omitempty"`
	Queues    []string `json:"queues,omitempty"`
	Kinds     []string `json:"kinds,omitempty"`
	Databases []string `json:"databases,omitempty"`
	Clients   []string `json:"clients,omitempty"`
}

type keyRecord struct {
	bun.BaseModel `bun:"table:asyncops_keys"`

	ID        string  `bun:"id"`
	Name      string  `bun:"name"`
	Hash      string  `bun:"hash"`
	Grants    string  `bun:"grants"`
	CreatedAt micros  `bun:"created_at"`
	ExpiresAt *micros `bun:"expires_at"`
	RevokedAt *micros `bun:"revoked_at"`
}

// CreateKey records a key. A name or id that is in use answers job.ErrExists.
func (l *Ledger) CreateKey(ctx context.Context, k Key) error {
	grants, err := json.Marshal(k.Grants)
	if err != nil {
		return l.wrap(err, "create key %s", k.Name)
	}
	record := keyRecord{
		ID: k.ID, Name: k.Name, Hash: k.Hash, Grants: string(grants),
		CreatedAt: microsOf(k.CreatedAt), ExpiresAt: orNull(microsOf(k.ExpiresAt)),
	}
	res, err := l.write.NewInsert().Model(&record).On("CONFLICT DO NOTHING").Returning("NULL").Exec(ctx)
	if err != nil {
		return l.wrap(err, "create key %s", k.Name)
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return l.wrap(fmt.Errorf("key %s: %w", k.Name, job.ErrExists), "create key")
	}
	return nil
}

// Key returns the key with the id, or job.ErrNotFound. A revoked or expired
// key is returned as it is.
func (l *Ledger) Key(ctx context.Context, id string) (*Key, error) {
	if !isStorable(id) {
		return nil, l.wrap(job.ErrNotFound, "get key")
	}
	var records []keyRecord
	if err := l.read.NewSelect().Model(&records).Where("id = ?", id).Scan(ctx); err != nil {
		return nil, l.wrap(err, "get key %s", id)
	}
	if len(records) == 0 {
		return nil, l.wrap(job.ErrNotFound, "get key %s", id)
	}
	r := records[0]
	k := &Key{ID: r.ID, Name: r.Name, Hash: r.Hash, CreatedAt: r.CreatedAt.time()}
	if r.ExpiresAt != nil {
		k.ExpiresAt = r.ExpiresAt.time()
	}
	if r.RevokedAt != nil {
		k.RevokedAt = r.RevokedAt.time()
	}
	return k, l.wrap(json.Unmarshal([]byte(r.Grants), &k.Grants), "get key %s", id)
}
