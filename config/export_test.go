package config

// Expand resolves ${…} in a value, for the tests.
func Expand(value string, getenv func(string) string) (string, error) {
	t, err := parseTemplate(value, getenv)
	if err != nil {
		return "", err
	}
	return t.render()
}
