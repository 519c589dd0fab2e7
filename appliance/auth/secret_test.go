package auth

import (
	"bytes"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

func TestSecret(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "key")
	keys := make([][]byte, 20)
	var wg sync.WaitGroup
	for i := range keys {
		wg.Go(func() {
			var err error
			if keys[i], err = Secret(path); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, key := range keys {
		if !bytes.Equal(key, keys[0]) || len(key) != 32 || bytes.Equal(key, make([]byte, 32)) {
			t.Errorf("key %x, first %x", key, keys[0])
		}
	}
	if names, err := filepath.Glob(filepath.Join(dir, ".*")); err != nil || len(names) != 0 {
		t.Errorf("left behind: %v, %v", names, err)
	}
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", st, err)
	}
	other, err := Secret(filepath.Join(dir, "other"))
	if err != nil || bytes.Equal(other, keys[0]) {
		t.Errorf("another box's key is the same: %v", err)
	}
}

func TestSecretRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, make := range map[string]func(path string) error{
		"empty":     func(p string) error { return os.WriteFile(p, nil, 0o600) },
		"short":     func(p string) error { return os.WriteFile(p, bytes.Repeat([]byte{1}, 31), 0o600) },
		"long":      func(p string) error { return os.WriteFile(p, bytes.Repeat([]byte{1}, 33), 0o600) },
		"readable":  func(p string) error { return os.WriteFile(p, bytes.Repeat([]byte{1}, 32), 0o640) },
		"folder":    func(p string) error { return os.Mkdir(p, 0o700) },
		"no/folder": func(string) error { return nil },
	} {
		path := filepath.Join(dir, name)
		if err := make(path); err != nil {
			t.Fatal(err)
		}
		if key, err := Secret(path); err == nil {
			t.Errorf("%s: key %x", name, key)
		}
	}
}
