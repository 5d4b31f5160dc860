package clients

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"net/http"
	"strconv"
	"strings"
)

// hmacSigner signs the body, or "<seconds>.<body>" with a header for the time.
type hmacSigner struct {
	secret            func() string
	hash              func() hash.Hash
	header, timestamp string
}

func newHMAC(a Auth) signer {
	s := hmacSigner{secret: a.Secret, hash: sha256.New, header: a.Header, timestamp: a.TimestampHeader}
	if a.Algorithm == SHA512 {
		s.hash = sha512.New
	}
	return s
}

func (s hmacSigner) sign(req *http.Request, m message) ([]string, error) {
	secret := s.secret()
	if secret == "" {
		return nil, badSecret("secret")
	}
	mac := hmac.New(s.hash, []byte(secret))
	if s.timestamp != "" {
		at := strconv.FormatInt(m.at.Unix(), 10)
		req.Header.Set(s.timestamp, at)
		mac.Write([]byte(at + "."))
	}
	mac.Write(m.body)
	signature := hex.EncodeToString(mac.Sum(nil))
	req.Header.Set(s.header, signature)
	return []string{secret, signature}, nil
}

func (s hmacSigner) preview(req *http.Request, m message) {
	if s.timestamp != "" {
		req.Header.Set(s.timestamp, strconv.FormatInt(m.at.Unix(), 10))
	}
	req.Header.Set(s.header, hidden)
}

// The headers of Standard Webhooks 1.0.
const (
	webhookID        = "Webhook-Id"
	webhookTimestamp = "Webhook-Timestamp"
	webhookSignature = "Webhook-Signature"
)

// webhooks signs "<id>.<seconds>.<body>" with each of its secrets.
type webhooks struct{ secrets []func() string }

func (w webhooks) sign(req *http.Request, m message) ([]string, error) {
	id := w.head(req, m)
	var hide, signatures []string
	for _, read := range w.secrets {
		secret := read()
		key, ok := webhookKey(secret)
		if !ok {
			return nil, badSecret("secrets")
		}
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(id + "." + req.Header.Get(webhookTimestamp) + "."))
		mac.Write(m.body)
		signature := base64.StdEncoding.EncodeToString(mac.Sum(nil))
		signatures = append(signatures, "v1,"+signature)
		hide = append(hide, secret, signature)
	}
	req.Header.Set(webhookSignature, strings.Join(signatures, " "))
	return hide, nil
}

func (w webhooks) preview(req *http.Request, m message) {
	w.head(req, m)
	signatures := make([]string, len(w.secrets))
	for i := range signatures {
		signatures[i] = "v1," + hidden
	}
	req.Header.Set(webhookSignature, strings.Join(signatures, " "))
}

// head sets the id and the time. Full stops separate what is signed, so an id
// holds none.
func (w webhooks) head(req *http.Request, m message) (id string) {
	id = strings.ReplaceAll(m.id, ".", "_")
	req.Header.Set(webhookID, id)
	req.Header.Set(webhookTimestamp, strconv.FormatInt(m.at.Unix(), 10))
	return id
}
