package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// place is a command and what may follow it.
type place struct {
	path  string   // commands from the root, separated by spaces; "" is the root
	words []word   // commands, values and flags
	take  []string // flags that take a value
}

type word struct{ text, help string }

// Run prints a completion script.
func (c *completionCmd) Run(s *session) error {
	places := placesOf(s.model.Node, "")
	script := bashScript
	switch c.Shell {
	case "zsh":
		script = func(places []place) string {
			return "#compdef asyncops\nautoload -U +X bashcompinit && bashcompinit\n" + bashScript(places)
		}
	case "fish":
		script = fishScript
	}
	if _, err := fmt.Fprint(s.Stdout, script(places)); err != nil {
		return fmt.Errorf("print the script: %w", err)
	}
	return nil
}

// placesOf walks the grammar.
func placesOf(node *kong.Node, path string) []place {
	p := place{path: path}
	for _, child := range node.Children {
		if child.Name != "list" || path != "queues" { // which is what queues does alone
			p.words = append(p.words, word{child.Name, child.Help})
		}
	}
	for _, positional := range node.Positional {
		for _, value := range positional.EnumSlice() {
			p.words = append(p.words, word{value, ""})
		}
	}
	for at := node; at != nil; at = at.Parent { // flags of the commands around it too
		for _, flag := range at.Flags {
			p.words = append(p.words, word{"--" + flag.Name, flag.Help})
			if !flag.IsBool() {
				p.take = append(p.take, "--"+flag.Name)
			}
		}
	}
	places := []place{p}
	for _, child := range node.Children {
		places = append(places, placesOf(child, strings.TrimSpace(path+" "+child.Name))...)
	}
	return places
}

// bashScript finds the command by leaving out flags and their values, and
// offers what may follow it; files, where nothing fits.
func bashScript(places []place) string {
	var b strings.Builder
	b.WriteString(`_asyncops() {
  local word path="" skip="" words="" i
  for ((i = 1; i < COMP_CWORD; i++)); do
    word="${COMP_WORDS[i]}"
    if [[ -n "$skip" ]]; then skip=""; continue; fi
    case "$path $word" in
`)
	for _, p := range places {
		if len(p.take) > 0 {
			patterns := make([]string, len(p.take))
			for i, flag := range p.take {
				patterns[i] = quote(p.path + " " + flag)
			}
			fmt.Fprintf(&b, "      %s) skip=1 ;;\n", strings.Join(patterns, "|"))
		}
	}
	for _, p := range places[1:] {
		parent, name := "", p.path
		if i := strings.LastIndexByte(p.path, ' '); i >= 0 {
			parent, name = p.path[:i], p.path[i+1:]
		}
		fmt.Fprintf(&b, "      %s) path=%s ;;\n", quote(parent+" "+name), quote(p.path))
	}
	b.WriteString("    esac\n  done\n  case \"$path\" in\n")
	for _, p := range places {
		words := make([]string, len(p.words))
		for i, w := range p.words {
			words[i] = w.text
		}
		fmt.Fprintf(&b, "    %s) words=%s ;;\n", quote(p.path), quote(strings.Join(words, " ")))
	}
	b.WriteString(`  esac
  [[ -n "$skip" ]] && words=""
  COMPREPLY=($(compgen -W "$words" -- "${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _asyncops asyncops
`)
	return b.String()
}

// fishScript offers what may follow once all commands of the path were seen.
func fishScript(places []place) string {
	var b strings.Builder
	for _, p := range places {
		condition := "__fish_use_subcommand"
		if p.path != "" {
			names := strings.Fields(p.path)
			for i, name := range names {
				names[i] = "__fish_seen_subcommand_from " + name
			}
			condition = strings.Join(names, "; and ")
		}
		for _, w := range p.words {
			what := "-a " + quote(w.text)
			if name, ok := strings.CutPrefix(w.text, "--"); ok {
				what = "-l " + name
				if slices.Contains(p.take, w.text) {
					what += " -r"
				}
			}
			fmt.Fprintf(&b, "complete -c asyncops -n %s %s -d %s\n", quote(condition), what, quote(w.help))
		}
	}
	return b.String()
}

// quote writes a word as all three shells read it.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }
