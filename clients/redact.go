package clients

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
)

// redactor takes secrets out of texts that an upstream may have made of what it
// was sent.
type redactor struct {
	replacer *strings.Replacer
	longest  int // bytes of the longest form of a secret
}

func newRedactor(secrets []string) redactor {
	var forms []string
	for _, s := range secrets {
		if s == "" {
			continue
		}
		quoted, _ := json.Marshal(s) // a string cannot fail
		for _, form := range []string{s, url.QueryEscape(s), url.PathEscape(s), string(quoted[1 : len(quoted)-1]), base64.StdEncoding.EncodeToString([]byte(s))} {
			if !slices.Contains(forms, form) {
				forms = append(forms, form)
			}
		}
	}
	// At one place the replacer takes the first that fits.
	slices.SortFunc(forms, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	r := redactor{}
	pairs := make([]string, 0, 2*len(forms))
	for _, form := range forms {
		r.longest = max(r.longest, len(form))
		pairs = append(pairs, form, hidden)
	}
	r.replacer = strings.NewReplacer(pairs...)
	return r
}

// apply replaces every secret in text. If text was cut off at its end, it also
// drops as much there as may be the beginning of one.
func (r redactor) apply(text string, cut bool) string {
	text = r.replacer.Replace(text)
	if cut {
		text = text[:max(len(text)-r.longest, 0)]
	}
	return text
}
