// go-tuf v2 as a driver (see ../../README.md for the protocol).
package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"os"
	"path/filepath"

	"github.com/theupdateframework/go-tuf/v2/metadata/config"
	"github.com/theupdateframework/go-tuf/v2/metadata/updater"
	"tuffet.test/protocol"
)

type session struct {
	updater     *updater.Updater
	destination string
}

func refresh(request protocol.Request) (protocol.Session, error) {
	root, err := os.ReadFile(request.Root)
	if err != nil {
		return nil, err
	}
	settings, err := config.New(request.MetadataURL, root)
	if err != nil {
		return nil, err
	}
	settings.RemoteTargetsURL = request.TargetsURL
	settings.LocalMetadataDir = request.State
	settings.LocalTargetsDir = request.State
	if err := settings.SetDefaultFetcherHTTPClient(&http.Client{Timeout: protocol.Timeout}); err != nil {
		return nil, err
	}
	client, err := updater.New(settings)
	if err != nil {
		return nil, err
	}
	return session{client, filepath.Join(request.State, "download")}, client.Refresh()
}

func (s session) Versions() (protocol.Versions, error) {
	trusted := s.updater.GetTrustedMetadataSet()
	return protocol.Versions{
		Root:      trusted.Root.Signed.Version,
		Timestamp: trusted.Timestamp.Signed.Version,
		Snapshot:  trusted.Snapshot.Signed.Version,
	}, nil
}

func (s session) Fetch(path string) (string, bool, error) {
	info, err := s.updater.GetTargetInfo(path)
	if err != nil {
		// go-tuf v2 has no error type for this case: only the sentence tells it from metadata that failed to verify.
		if err.Error() == fmt.Sprintf("target %s not found", path) {
			return "", false, nil
		}
		return "", false, err
	}
	_, content, err := s.updater.DownloadTarget(info, s.destination, "")
	if err != nil {
		return "", true, err
	}
	digest := sha256.Sum256(content)
	return hex.EncodeToString(digest[:]), true, nil
}

func main() { protocol.Serve(refresh) }
