package api

import (
	"fmt"
	"strings"
)

// Scope is one thing that a key may be allowed to do.
type Scope string

const (
	JobsWrite      Scope = "jobs:write"      // submit, cancel, run again, delete
	JobsRead       Scope = "jobs:read"       // look, at queues, targets and workers too
	JobsPayload    Scope = "jobs:payload"    // see args, results and private errors of other keys' jobs
	QueuesAdmin    Scope = "queues:admin"    // pause and resume queues
	SchedulesWrite Scope = "schedules:write" // change schedules
	TargetsAdmin   Scope = "targets:admin"   // act on databases, clients and workers
	KeysAdmin      Scope = "keys:admin"      // make and revoke keys
	AuditRead      Scope = "audit:read"      // read the audit log
)

// Scopes lists every scope.
func Scopes() []Scope {
	return []Scope{JobsWrite, JobsRead, JobsPayload, QueuesAdmin, SchedulesWrite, TargetsAdmin, KeysAdmin, AuditRead}
}

// Roles lists the names of the roles, from the least to the most powerful.
func Roles() []string { return []string{"viewer", "submitter", "operator", "admin"} }

// RoleScopes returns what the role may do; nil for one that does not exist.
func RoleScopes(role string) []Scope {
	switch role {
	case "viewer":
		return []Scope{JobsRead}
	case "submitter":
		return []Scope{JobsWrite, JobsRead}
	case "operator":
		return []Scope{JobsWrite, JobsRead, JobsPayload, QueuesAdmin, SchedulesWrite, TargetsAdmin, AuditRead}
	case "admin":
		return Scopes()
	}
	return nil
}

// scopeSet is a set of scopes: bit i is Scopes()[i].
type scopeSet uint16

func (s scopeSet) has(scope Scope) bool { return s&bit(scope) != 0 }

// bit returns 0 for a scope that does not exist.
func bit(scope Scope) scopeSet {
	switch scope {
	case JobsWrite:
		return 1
	case JobsRead:
		return 1 << 1
	case JobsPayload:
		return 1 << 2
	case QueuesAdmin:
		return 1 << 3
	case SchedulesWrite:
		return 1 << 4
	case TargetsAdmin:
		return 1 << 5
	case KeysAdmin:
		return 1 << 6
	case AuditRead:
		return 1 << 7
	}
	return 0
}

const allScopes = scopeSet(1<<8 - 1)

func scopeSetOf(role string, scopes []string) (scopeSet, error) {
	var set scopeSet
	granted := RoleScopes(role)
	if granted == nil && role != "" {
		return 0, fmt.Errorf("role %q does not exist; want one of %s", role, strings.Join(Roles(), ", "))
	}
	for _, scope := range granted {
		set |= bit(scope)
	}
	for _, name := range scopes {
		b := bit(Scope(name))
		if b == 0 {
			return 0, fmt.Errorf("scope %q does not exist", name)
		}
		set |= b
	}
	return set, nil
}
