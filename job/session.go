package job

import "time"

// Session is a login: it stands for an API key until it ends.
type Session struct {
	ID        string // SHA-256 of the token that the caller holds, in hexadecimal
	Key       string // id of its key
	Binding   string // of the token and the key's secret, for whoever checks both
	ExpiresAt time.Time
}
