package app

import (
	"net/http"

	"github.com/asyncops/asyncops/clients"
	"github.com/asyncops/asyncops/config"
	"github.com/asyncops/asyncops/job"
)

// clientOf is the client that the settings describe. signers are the custom
// types of authentication that are registered.
func clientOf(name string, c config.Client, signers map[string]clients.Signer) clients.Config {
	return clients.Config{
		Name: name, BaseURL: c.BaseURL, Timeout: c.Timeout.Std(), MaxRetries: c.MaxRetries,
		Auth: authOf(c.Auth, signers),
		Pool: clients.Pool{
			MaxIdle: c.Pool.MaxIdle, MaxConnections: c.Pool.MaxConnections, IdleTimeout: c.Pool.IdleTimeout.Std(),
		},
		AllowNetworks: c.AllowNetworks, AllowHeaders: c.AllowHeaders,
		Idempotency: clients.Idempotency{
			Header: c.Idempotency.Header, Format: clients.Format(c.Idempotency.Format), TTL: c.Idempotency.TTL.Std(),
			OnAmbiguous: clients.OnAmbiguous(c.Idempotency.OnAmbiguous),
		},
		Cache:       clients.ResponseCache{TTL: c.Cache.TTL.Std(), MaxBody: c.Cache.MaxBody.Bytes()},
		MaxResponse: c.MaxResponse.Bytes(), Protocol: clients.Protocol(c.Protocol),
		TLS:   clients.TLS{CA: c.TLS.CA, Cert: c.TLS.Cert, Key: c.TLS.Key},
		Proxy: c.Proxy.Reveal(), Redirects: c.Redirects,
	}
}

func authOf(a config.Auth, signers map[string]clients.Signer) clients.Auth {
	auth := clients.Auth{
		Type: clients.AuthType(a.Type), Token: a.Token.Reveal, In: clients.In(a.In), Name: a.Name, Key: a.Key.Reveal,
		Username: func() string { return a.Username }, Password: a.Password.Reveal,
		TokenURL: a.TokenURL, ClientID: a.ClientID, ClientSecret: a.ClientSecret.Reveal, Scopes: a.Scopes, Audience: a.Audience,
		Secret: a.Secret.Reveal, Algorithm: clients.Algorithm(a.Algorithm), Header: a.Header, TimestampHeader: a.TimestampHeader,
		Sign: signers[a.Name],
	}
	for _, secret := range a.Secrets {
		auth.Secrets = append(auth.Secrets, secret.Reveal)
	}
	return auth
}

// unsignable stands, where no jobs run, for a custom authentication that only
// workers need to know.
func unsignable(*http.Request) error {
	return job.Permanent(job.CodeAuthFailed, "this process runs no jobs")
}
