// Package sqliteconn owns the connection to SQLite: it opens a database file
// as one writing connection and a pool of reading ones, with the settings that
// durability needs, and turns the driver's errors into result codes and a few
// questions about them.
//
// Contexts are obeyed: a statement is interrupted, and a wait for a lock ends,
// when its context is done. It knows no table and builds no SQL of its own.
package sqliteconn

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"modernc.org/sqlite"
)

// Memory is the Path of a database that lives in memory, private to its DB,
// and ends with it.
const Memory = ":memory:"

// Config is which database to open and how.
type Config struct {
	Path          string        // of the file, made (0600, in a 0700 folder) if it is missing; or Memory
	ReadOnlyConns int           // size of the reading pool; default 4
	BusyTimeout   time.Duration // wait for another process's lock at most; default 5s
}

const (
	defaultReadOnlyConns = 4
	defaultBusyTimeout   = 5 * time.Second
)

func (c Config) withDefaults() Config {
	if c.ReadOnlyConns <= 0 {
		c.ReadOnlyConns = defaultReadOnlyConns
	}
	if c.BusyTimeout <= 0 {
		c.BusyTimeout = defaultBusyTimeout
	}
	return c
}

// DB is an open database. It is safe for concurrent use.
type DB struct {
	writer *sql.DB
	reader *sql.DB
	keeper *sql.Conn // keeps a database in memory alive; nil for a file
	keepDB *sql.DB
}

// Open opens the database: WAL, synchronous FULL, foreign keys on. The folder
// and the file are made if they are missing; connections are made at first
// use. The caller closes it.
func Open(cfg Config) (*DB, error) {
	cfg = cfg.withDefaults()
	if cfg.Path == "" {
		return nil, errors.New("sqliteconn: path is empty; name a file, or write " + Memory + " for none")
	}
	if cfg.Path != Memory {
		if err := makeFile(cfg.Path); err != nil {
			return nil, fmt.Errorf("sqliteconn: make %s: %w", cfg.Path, err)
		}
	}
	base := dsnBase(cfg.Path)
	db := &DB{}
	var err error
	if db.writer, err = openPool(base, cfg, 1, writing); err != nil {
		return nil, err
	}
	if db.reader, err = openPool(base, cfg, cfg.ReadOnlyConns, reading); err != nil {
		return nil, err
	}
	if cfg.Path == Memory {
		if err := db.keepAlive(base, cfg); err != nil {
			return nil, errors.Join(err, db.Close())
		}
	}
	return db, nil
}

func openPool(base string, cfg Config, conns int, a access) (*sql.DB, error) {
	connector, err := sqlite.NewConnector(dsn(base, cfg.BusyTimeout, a))
	if err != nil {
		return nil, fmt.Errorf("sqliteconn: open %s: %w", cfg.Path, err)
	}
	pool := sql.OpenDB(connector)
	pool.SetMaxOpenConns(conns)
	pool.SetMaxIdleConns(conns)
	return pool, nil
}

// keepAlive holds one connection for as long as the DB is open: a database in
// memory ends with its last one, and pools come and go.
func (db *DB) keepAlive(base string, cfg Config) (err error) {
	if db.keepDB, err = openPool(base, cfg, 1, writing); err != nil {
		return err
	}
	if db.keeper, err = db.keepDB.Conn(context.Background()); err != nil {
		return fmt.Errorf("sqliteconn: open %s: %w", cfg.Path, err)
	}
	return nil
}

// Writer returns the pool of the one connection that may write. Transactions
// take the write lock when they begin, so that none fails half-way.
func (db *DB) Writer() *sql.DB { return db.writer }

// Reader returns the pool of connections that may only read. Their reads see
// what was committed when they began and never wait for the writer, except on
// a database in memory.
func (db *DB) Reader() *sql.DB { return db.reader }

// Close closes all connections. Only one call is allowed.
func (db *DB) Close() error {
	errs := []error{closePool(db.reader), closePool(db.writer)}
	if db.keeper != nil {
		errs = append(errs, db.keeper.Close())
	}
	if db.keepDB != nil {
		errs = append(errs, closePool(db.keepDB))
	}
	return errors.Join(errs...)
}

// closePatience is how long Close waits for connections that are being made or
// in use. database/sql closes those in its own time; until then they may make
// files anew beside the database.
const closePatience = time.Second

func closePool(pool *sql.DB) error {
	err := pool.Close()
	enough := time.After(closePatience)
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	for pool.Stats().OpenConnections > 0 {
		select {
		case <-look.C:
		case <-enough:
			return err
		}
	}
	return err
}

// makeFile makes the file before SQLite does, with an access of our choice;
// the -wal and -shm files inherit it.
func makeFile(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if errors.Is(err, os.ErrPermission) {
		return nil // it may be there and readable; the first use tells
	}
	if err != nil {
		return err
	}
	return f.Close()
}
