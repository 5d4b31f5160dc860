package job

import "strings"

// TargetType says what sort of thing a Target is.
type TargetType string

// The types of what jobs work with, and of what alerts are about besides.
const (
	TypeDatabase TargetType = "database"
	TypeClient   TargetType = "client"
	TypeLedger   TargetType = "ledger"
	TypeRedis    TargetType = "redis"
	TypeQueue    TargetType = "queue"
	TypeWorker   TargetType = "worker"
	TypeProcess  TargetType = "process"
	TypeFleet    TargetType = "fleet" // all workers together; it has no name
)

// Target is one thing that jobs work with. A database and a client may have the
// same name.
type Target struct {
	Type TargetType `json:"type"`
	Name string     `json:"name"`
}

// DatabaseTarget is the database with the name.
func DatabaseTarget(name string) Target { return Target{TypeDatabase, name} }

// ClientTarget is the client with the name.
func ClientTarget(name string) Target { return Target{TypeClient, name} }

// String is the type and the name, such as "database main".
func (t Target) String() string { return strings.TrimSpace(string(t.Type) + " " + t.Name) }
