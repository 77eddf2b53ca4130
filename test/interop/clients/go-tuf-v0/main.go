// go-tuf v0.7 as a driver (see ../../README.md for the protocol).
package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"hash"
	"net/http"
	"net/url"
	"os"

	"github.com/theupdateframework/go-tuf/client"
	filejsonstore "github.com/theupdateframework/go-tuf/client/filejsonstore"
	"tuffet.test/protocol"
)

type session struct {
	client *client.Client
	store  client.LocalStore
}

func refresh(request protocol.Request) (protocol.Session, error) {
	store, err := filejsonstore.NewFileJSONStore(request.State)
	if err != nil {
		return nil, err
	}
	remote, err := remoteStore(request)
	if err != nil {
		return nil, err
	}
	s := session{client.NewClient(store, remote), store}
	if err := s.trustOnFirstUse(request.Root); err != nil {
		return nil, err
	}
	_, err = s.client.Update()
	return s, err
}

// go-tuf v0 takes one origin and two paths below it.
func remoteStore(request protocol.Request) (client.RemoteStore, error) {
	metadata, err := url.Parse(request.MetadataURL)
	if err != nil {
		return nil, err
	}
	targets, err := url.Parse(request.TargetsURL)
	if err != nil {
		return nil, err
	}
	origin := url.URL{Scheme: metadata.Scheme, Host: metadata.Host}
	paths := &client.HTTPRemoteOptions{MetadataPath: metadata.Path, TargetsPath: targets.Path}
	return client.HTTPRemoteStore(origin.String(), paths, &http.Client{Timeout: protocol.Timeout})
}

func (s session) trustOnFirstUse(rootFile string) error {
	stored, err := s.store.GetMeta()
	if err != nil || stored["root.json"] != nil {
		return err
	}
	root, err := os.ReadFile(rootFile)
	if err != nil {
		return err
	}
	return s.client.Init(root)
}

func (s session) Versions() (protocol.Versions, error) {
	stored, err := s.store.GetMeta()
	if err != nil {
		return protocol.Versions{}, err
	}
	var versions protocol.Versions
	for role, version := range map[string]*int64{
		"root.json":      &versions.Root,
		"timestamp.json": &versions.Timestamp,
		"snapshot.json":  &versions.Snapshot,
	} {
		var metadata struct{ Signed struct{ Version int64 } }
		if err := json.Unmarshal(stored[role], &metadata); err != nil {
			return versions, err
		}
		*version = metadata.Signed.Version
	}
	return versions, nil
}

func (s session) Fetch(path string) (string, bool, error) {
	content := destination{sha256.New()}
	err := s.client.Download(path, content)
	if unknown := (client.ErrUnknownTarget{}); errors.As(err, &unknown) {
		return "", false, nil
	}
	if err != nil {
		return "", true, err
	}
	return hex.EncodeToString(content.Sum(nil)), true, nil
}

// destination hashes what the client writes; there is no file to delete when a download fails.
type destination struct{ hash.Hash }

func (destination) Delete() error { return nil }

func main() { protocol.Serve(refresh) }
