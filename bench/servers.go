package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"
)

// postgres is a PostgreSQL server with fsync on, as it is installed.
type postgres struct {
	*child
	addr string
}

// dsn is the address of one of its databases.
func (p postgres) dsn(database string) string {
	return "postgres://asyncops@" + p.addr + "/" + database + "?sslmode=disable"
}

// exec runs one statement in a database.
func (p postgres) exec(ctx context.Context, database, statement string) error {
	conn, err := pgx.Connect(ctx, p.dsn(database))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	if _, err = conn.Exec(ctx, statement); err != nil {
		return fmt.Errorf("%s: %w", statement, err)
	}
	return nil
}

// number asks a database for one number.
func (p postgres) number(ctx context.Context, database, query string) (n int, err error) {
	conn, err := pgx.Connect(ctx, p.dsn(database))
	if err != nil {
		return 0, err
	}
	defer func() { _ = conn.Close(ctx) }()
	err = conn.QueryRow(ctx, query).Scan(&n)
	return n, err
}

func startPostgres(ctx context.Context, dir string) (postgres, error) {
	path, err := findPostgres()
	if err != nil {
		return postgres{}, err
	}
	credential, err := serverUser()
	if err != nil {
		return postgres{}, err
	}
	home := filepath.Join(dir, "postgres")
	if err := os.Mkdir(home, 0o700); err != nil {
		return postgres{}, err
	}
	if credential != nil { // it has to reach its directory, too
		if err := errors.Join(os.Chmod(dir, 0o711), os.Chown(home, int(credential.Uid), int(credential.Gid))); err != nil {
			return postgres{}, err
		}
	}
	initdb := exec.CommandContext(ctx, filepath.Join(filepath.Dir(path), "initdb"), "--pgdata=data", "--username=asyncops",
		"--auth=trust", "--encoding=UTF8", "--locale=C", "--no-instructions")
	initdb.Dir, initdb.SysProcAttr = home, &syscall.SysProcAttr{Credential: credential}
	if text, err := initdb.CombinedOutput(); err != nil {
		return postgres{}, fmt.Errorf("initdb: %w: %s", err, text)
	}
	addr, err := freeAddr()
	if err != nil {
		return postgres{}, err
	}
	_, port, _ := net.SplitHostPort(addr) // freeAddr's always splits
	p, err := start(command{name: "PostgreSQL", path: path, dir: home, user: credential, stop: syscall.SIGINT, args: []string{
		"-D", "data", "-p", port, "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "max_connections=300",
	}})
	if err != nil {
		return postgres{}, err
	}
	server := postgres{p, addr}
	if err := p.await(ctx, func(ctx context.Context) error { return server.exec(ctx, "postgres", "SELECT 1") }); err != nil {
		p.end()
		return postgres{}, err
	}
	return server, nil
}

// findPostgres finds the server; Debian keeps it out of the PATH.
func findPostgres() (string, error) {
	if path, err := exec.LookPath("postgres"); err == nil {
		return filepath.EvalSymlinks(path)
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres") // the pattern is well-formed
	if len(found) == 0 {
		return "", errors.New("postgres is not installed (make services installs it)")
	}
	return found[len(found)-1], nil
}

// serverUser is whom PostgreSQL runs as: it refuses root, so then its
// package's user, or nobody.
func serverUser() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil //nolint:nilnil // ourselves, as SysProcAttr has it
	}
	account, err := user.Lookup("postgres")
	if err != nil {
		account, err = user.Lookup("nobody")
	}
	if err != nil {
		return nil, err
	}
	uid, errUID := strconv.ParseUint(account.Uid, 10, 32)
	gid, errGID := strconv.ParseUint(account.Gid, 10, 32)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, errors.Join(errUID, errGID)
}

// startRedis starts a Redis that keeps nothing on disk: to asyncops it carries
// no job, and asynq is as fast as it can be.
func startRedis(ctx context.Context, dir string) (*child, *redis.Client, error) {
	path, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, nil, fmt.Errorf("%w (make services installs it)", err)
	}
	addr, err := freeAddr()
	if err != nil {
		return nil, nil, err
	}
	_, port, _ := net.SplitHostPort(addr) // freeAddr's always splits
	p, err := start(command{name: "Redis", path: path, dir: dir, stop: syscall.SIGTERM, args: []string{
		"--port", port, "--bind", "127.0.0.1", "--save", "", "--maxmemory-policy", "noeviction",
	}})
	if err != nil {
		return nil, nil, err
	}
	client := redis.NewClient(&redis.Options{Addr: addr})
	if err := p.await(ctx, func(ctx context.Context) error { return client.Ping(ctx).Err() }); err != nil {
		_ = client.Close()
		p.end()
		return nil, nil, err
	}
	return p, client, nil
}
