package testkit

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"sync"
	"syscall"
)

// owner is the user that a server runs as. Database servers refuse to run as
// root, so under root they run as their package's user, or as nobody; a nil
// owner is ourselves.
type owner struct{ uid, gid uint32 }

// serverOwner returns the first of names that exists when we are root.
func serverOwner(names ...string) *owner {
	if os.Geteuid() != 0 {
		return nil
	}
	for _, name := range append(names, "nobody") {
		account, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, errUID := strconv.ParseUint(account.Uid, 10, 32)
		gid, errGID := strconv.ParseUint(account.Gid, 10, 32)
		if errUID == nil && errGID == nil {
			return &owner{uid: uint32(uid), gid: uint32(gid)}
		}
	}
	return nil
}

func (o *owner) credential() *syscall.Credential {
	return &syscall.Credential{Uid: o.uid, Gid: o.gid}
}

// makeDir makes a temporary directory that belongs to o. A test's own TempDir
// would not do: only its user may enter it.
func (o *owner) makeDir(name string) (string, error) {
	dir, err := os.MkdirTemp("", "asyncops-test-"+name+"-")
	if err != nil {
		return "", fmt.Errorf("testkit: make a directory for %s: %w", name, err)
	}
	if o != nil {
		if err := os.Chown(dir, int(o.uid), int(o.gid)); err != nil {
			return "", fmt.Errorf("testkit: give %s its directory: %w", name, err)
		}
	}
	return dir, nil
}

// run runs a command as o to its end, in dir.
func (o *owner) run(dir, path string, args ...string) error {
	cmd := exec.Command(path, args...)
	cmd.Dir, cmd.Env = dir, serverEnv()
	cmd.SysProcAttr = &syscall.SysProcAttr{}
	if o != nil {
		cmd.SysProcAttr.Credential = o.credential()
	}
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("testkit: run %s: %w: %s", path, err, text)
	}
	return nil
}

// serverEnv is the environment of servers: nothing of ours that could change
// what they do.
func serverEnv() []string {
	return []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "TZ=UTC"}
}

// dataTemplate is a data directory that is initialized once for a test binary
// and copied for each server.
type dataTemplate struct {
	once sync.Once
	dir  string
	err  error
}

// copyTo copies the template into dir/data, initializing it before the first
// copy. initialize gets the directory to create the data in.
func (d *dataTemplate) copyTo(dir, name string, o *owner, initialize func(parent string) error) error {
	d.once.Do(func() {
		if d.dir, d.err = o.makeDir(name + "-template"); d.err != nil {
			return
		}
		template := d.dir
		shared.atEnd(func() { _ = os.RemoveAll(template) })
		d.err = initialize(d.dir)
	})
	if d.err != nil {
		return d.err
	}
	return o.run(dir, findBinary("cp"), "-Rp", d.dir+"/data", dir+"/data")
}
