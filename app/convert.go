package app

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"time"

	"github.com/asyncops/asyncops/clients"
	"github.com/asyncops/asyncops/config"
	"github.com/asyncops/asyncops/dbop"
	"github.com/asyncops/asyncops/dispatch"
	"github.com/asyncops/asyncops/internal/mysqlconn"
	"github.com/asyncops/asyncops/internal/pgconn"
	"github.com/asyncops/asyncops/ledger"
	"github.com/asyncops/asyncops/store"
)

// postgresOf is the connection that a DSN names; process is shown in the
// server's list of sessions.
func postgresOf(dsn config.DSN, process string) pgconn.Config {
	params := map[string]string{}
	application := "asyncops-" + process
	for name, value := range dsn.Params {
		if name == "application_name" {
			application = value
			continue
		}
		params[name] = value
	}
	return pgconn.Config{
		Network: dsn.Network, Address: dsn.Address, User: dsn.User, Password: dsn.Password.Reveal, Database: dsn.Database,
		SSLMode: pgconn.SSLMode(dsn.SSLMode), RootCA: dsn.TLSCA, ApplicationName: application, Params: params,
		ConnectTimeout: dsn.ConnectTimeout,
	}
}

// mysqlOf is the connection to MariaDB or MySQL that a DSN names. Text travels
// in utf8mb4 only: any other charset is an error.
func mysqlOf(dsn config.DSN, process string) (mysqlconn.Config, error) {
	if charset := dsn.Params["charset"]; charset != "" && charset != "utf8mb4" {
		return mysqlconn.Config{}, fmt.Errorf("has the charset %s; write charset=utf8mb4, or leave it out", charset)
	}
	return mysqlconn.Config{
		Network: dsn.Network, Address: dsn.Address, User: dsn.User, Password: dsn.Password.Reveal, Database: dsn.Database,
		TLSMode: mysqlconn.TLSMode(dsn.SSLMode), RootCA: dsn.TLSCA, ApplicationName: "asyncops-" + process, Collation: dsn.Params["collation"],
		ConnectTimeout: dsn.ConnectTimeout,
	}, nil
}

func ledgerOf(c config.Ledger, process string) ledger.Config {
	cfg := ledger.Config{PoolSize: c.PoolSize, Retention: c.Retention.Std()}
	if c.DSN.Driver == config.DriverSQLite {
		cfg.SQLitePath = c.DSN.Path
		return cfg
	}
	postgres := postgresOf(c.DSN, process)
	cfg.Postgres = &postgres
	return cfg
}

func redisOf(u config.RedisURL) (dispatch.Redis, error) {
	r := dispatch.Redis{
		Mode: u.Mode, Addrs: u.Addrs, Master: u.Master, Username: u.User, DB: u.DB, SentinelUsername: u.SentinelUser,
	}
	if !u.Password.IsZero() {
		r.Password = u.Password.Reveal
	}
	if !u.SentinelPassword.IsZero() {
		r.SentinelPassword = u.SentinelPassword.Reveal
	}
	if !u.TLS {
		return r, nil
	}
	r.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	if u.CAFile == "" {
		return r, nil
	}
	pem, err := os.ReadFile(u.CAFile)
	if err != nil {
		return r, fmt.Errorf("redis.url: ca_file: %w", err)
	}
	r.TLS.RootCAs = x509.NewCertPool()
	if !r.TLS.RootCAs.AppendCertsFromPEM(pem) {
		return r, fmt.Errorf("redis.url: ca_file %s holds no certificate in PEM form", u.CAFile)
	}
	return r, nil
}

func databaseOf(name string, c config.Database, process string) (store.Config, error) {
	cfg := store.Config{
		Name: name, PoolSize: c.PoolSize, MaxOverflow: c.MaxOverflow, PoolTimeout: c.PoolTimeout.Std(),
		MaxLifetime: orNever(c.MaxLifetime), MaxIdleTime: orNever(c.MaxIdleTime), StatementTimeout: c.StatementTimeout.Std(),
		SlowQuery: orNever(c.SlowQuery), Retry: store.Retry{Attempts: c.Retry.Attempts, Delay: c.Retry.Delay.Std()},
		Effects: store.Effects(c.Effects), MaxAffected: c.MaxAffected, Tables: map[string]store.Table{}, Queries: map[string]store.Query{},
	}
	for table, t := range c.Tables {
		cfg.Tables[table] = store.Table{Columns: t.Columns, Write: t.Write}
	}
	for query, q := range c.Queries {
		params := make([]dbop.Param, len(q.Params))
		for i, p := range q.Params {
			params[i] = dbop.Param{Name: p.Name, Type: dbop.ParamType(p.Type)}
		}
		cfg.Queries[query] = store.Query{SQL: q.SQL, Params: params, Write: q.Write, Writes: q.Writes}
	}
	switch c.DSN.Driver {
	case config.DriverPostgres:
		cfg.Driver, cfg.Postgres = store.Postgres, postgresOf(c.DSN, process)
	case config.DriverMySQL:
		my, err := mysqlOf(c.DSN, process)
		if err != nil {
			return cfg, fmt.Errorf("databases.%s.dsn: %w", name, err)
		}
		cfg.Driver, cfg.MySQL = store.MySQL, my
	case config.DriverSQLite:
		cfg.Driver, cfg.Path = store.SQLite, c.DSN.Path
	}
	return cfg, nil
}

// orNever is the limit that a setting names, for which 0 is none.
func orNever(d config.Duration) time.Duration {
	if d == 0 {
		return store.Never
	}
	return d.Std()
}

func clientOf(name string, c config.Client) clients.Config {
	username := c.Auth.Username
	return clients.Config{
		Name: name, BaseURL: c.BaseURL, Timeout: c.Timeout.Std(), MaxRetries: c.MaxRetries,
		Auth: clients.Auth{
			Type: clients.AuthType(c.Auth.Type), Token: c.Auth.Token.Reveal, In: clients.In(c.Auth.In), Name: c.Auth.Name,
			Key: c.Auth.Key.Reveal, Username: func() string { return username }, Password: c.Auth.Password.Reveal,
		},
		Pool: clients.Pool{
			MaxIdle: c.Pool.MaxIdle, MaxConnections: c.Pool.MaxConnections, IdleTimeout: c.Pool.IdleTimeout.Std(),
		},
		AllowNetworks: c.AllowNetworks, AllowHeaders: c.AllowHeaders,
		Idempotency: clients.Idempotency{
			Header: c.Idempotency.Header, Format: clients.Format(c.Idempotency.Format), TTL: c.Idempotency.TTL.Std(),
			OnAmbiguous: clients.OnAmbiguous(c.Idempotency.OnAmbiguous),
		},
		MaxResponse: c.MaxResponse.Bytes(), Protocol: clients.Protocol(c.Protocol),
		TLS:   clients.TLS{CA: c.TLS.CA, Cert: c.TLS.Cert, Key: c.TLS.Key},
		Proxy: c.Proxy.Reveal(), Redirects: c.Redirects,
	}
}
