package store

import (
	"context"
	"fmt"

	"github.com/asyncops/asyncops/internal/sqliteconn"
)

// sqliteFull is synchronous = FULL, as PRAGMA synchronous has it.
const sqliteFull = 2

// inspect reports what keeps the file from not losing a commit. The settings
// are our own; a file system or an older file may not have taken them.
func (sqlite) inspect(ctx context.Context, db querier, look inspection) ([]string, error) {
	if look.path == sqliteconn.Memory {
		return nil, nil // it is meant to be lost
	}
	var journal string
	var synchronous int
	err := queryOne(ctx, db, "SELECT (SELECT journal_mode FROM pragma_journal_mode), (SELECT synchronous FROM pragma_synchronous)", &journal, &synchronous)
	if err != nil {
		return nil, err
	}
	var wrong []string
	if journal != "wal" && journal != "delete" && journal != "truncate" && journal != "persist" {
		wrong = append(wrong, fmt.Sprintf("journal_mode is %s: a crash can damage the file; let no other program set PRAGMA journal_mode on it", journal))
	}
	if synchronous < sqliteFull {
		wrong = append(wrong, fmt.Sprintf("synchronous is %d: a power cut can lose effects of jobs that are shown completed; let nothing set PRAGMA synchronous below FULL", synchronous))
	}
	return wrong, nil
}
