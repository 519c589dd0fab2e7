package auth

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// secretSize is the length of a key file in bytes.
const secretSize = 32

// Secret reads a key file, or makes one of random bytes that only its owner can read. It appears whole or not at all, and
// stays: when several make it at once, all get the same. A file of another length, or one that others can read, is
// refused.
func Secret(path string) ([]byte, error) {
	key, err := readSecret(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err := makeSecret(path); err != nil {
			return nil, fmt.Errorf("make secret: %w", err)
		}
		key, err = readSecret(path)
	}
	if err != nil {
		return nil, fmt.Errorf("read secret: %w", err)
	}
	return key, nil
}

func readSecret(path string) (_ []byte, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() || st.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s: mode %v, want a file for its owner alone (0600)", path, st.Mode())
	}
	key, err := io.ReadAll(io.LimitReader(f, secretSize+1))
	if err != nil {
		return nil, err
	}
	if len(key) != secretSize {
		return nil, fmt.Errorf("%s: not %d bytes long", path, secretSize)
	}
	return key, nil
}

// makeSecret writes a new key beside its place and links it there, which fails if somebody was faster.
func makeSecret(path string) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".secret-*") // with mode 0600
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(f.Name())) }()
	var key [secretSize]byte
	rand.Read(key[:]) // cannot fail
	_, err = f.Write(key[:])
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
