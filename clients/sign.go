package clients

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/asyncops/asyncops/httpop"
	"github.com/asyncops/asyncops/job"
)

// signer puts on a request what proves who sends it. It is safe for concurrent
// use.
type signer interface {
	// sign changes the request's headers and query, for this send only. It
	// returns the texts that must not be shown. Its errors are *authError, or
	// say that the request's context has ended.
	sign(req *http.Request, m message) (secrets []string, err error)
	// preview does as sign with "[secret]" in place of every secret, and
	// without asking anybody.
	preview(req *http.Request, m message)
}

// renewer is a signer whose credentials the upstream may refuse though others
// would do.
type renewer interface {
	// refused is told the secrets of a send that was answered 401, and reports
	// whether the next will have others.
	refused(secrets []string) bool
}

// message is what a signer signs besides the request's own fields.
type message struct {
	id   string // the same for all sends of a call
	body []byte
	at   time.Time
}

// errTokenAwaited is why a request could not be signed whose time was over
// while its token was being fetched. Nothing was sent.
var errTokenAwaited = errors.New("its token_url gave no answer in time")

// hidden stands for every secret in a Preview and in texts for job owners.
const hidden = "[secret]"

// authError is why a request could not be signed. Nothing was sent.
type authError struct {
	class      job.Class
	code       job.Code
	message    string // for the job's owner
	retryAfter time.Duration
	again      bool  // another try inside the call may do
	err        error // for the log: no secret, no text of an upstream
}

func (e *authError) Error() string {
	if e.err != nil {
		return e.message + ": " + e.err.Error()
	}
	return e.message
}

func (e *authError) Unwrap() error { return e.err }

var errBadSecret = errors.New("empty, or not fit for a header")

func badSecret(setting string) error {
	return &authError{class: job.ClassPermanent, code: job.CodeInvalid, message: "its credentials are empty or hold what cannot be sent",
		err: fmt.Errorf("auth.%s: %w", setting, errBadSecret)}
}

// readable refuses what would make a broken request; it never repeats it.
func readable(secret, setting string) (string, error) {
	if secret == "" || !httpop.ValidHeaderValue(secret) {
		return "", badSecret(setting)
	}
	return secret, nil
}

func newSigner(a Auth) signer {
	switch a.Type {
	case AuthBearer:
		return bearer{a.Token}
	case AuthBasic:
		return basic{a.Username, a.Password}
	case AuthAPIKey:
		return apiKey{a.In, a.Name, a.Key}
	case AuthHMAC:
		return newHMAC(a)
	case AuthStandardWebhooks:
		return webhooks{a.Secrets}
	case AuthCustom:
		return custom{a.Name, a.Sign}
	}
	return unsigned{}
}

type unsigned struct{}

func (unsigned) sign(*http.Request, message) ([]string, error) { return nil, nil }
func (unsigned) preview(*http.Request, message)                {}

type bearer struct{ token func() string }

func (b bearer) sign(req *http.Request, _ message) ([]string, error) {
	token, err := readable(b.token(), "token")
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	return []string{token}, nil
}

func (bearer) preview(req *http.Request, _ message) {
	req.Header.Set("Authorization", "Bearer "+hidden)
}

type basic struct{ username, password func() string }

func (b basic) sign(req *http.Request, _ message) ([]string, error) {
	username, password := b.username(), b.password()
	if username == "" {
		return nil, badSecret("username")
	}
	credentials := base64.StdEncoding.EncodeToString([]byte(username + ":" + password))
	req.Header.Set("Authorization", "Basic "+credentials)
	return []string{credentials, password}, nil
}

func (basic) preview(req *http.Request, _ message) {
	req.Header.Set("Authorization", "Basic "+hidden)
}

type apiKey struct {
	in   In
	name string
	key  func() string
}

func (k apiKey) sign(req *http.Request, _ message) ([]string, error) {
	key, err := readable(k.key(), "key")
	if err != nil {
		return nil, err
	}
	k.put(req, key)
	return []string{key}, nil
}

func (k apiKey) preview(req *http.Request, _ message) { k.put(req, hidden) }

func (k apiKey) put(req *http.Request, key string) {
	if k.in == InHeader {
		req.Header.Set(k.name, key)
		return
	}
	if req.URL.RawQuery != "" {
		req.URL.RawQuery += "&"
	}
	req.URL.RawQuery += url.QueryEscape(k.name) + "=" + url.QueryEscape(key)
}
