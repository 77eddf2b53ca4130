// Package protocol is what the Go drivers share: see ../../README.md.
package protocol

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"time"
)

const Timeout = 5 * time.Second

type Request struct {
	MetadataURL string   `json:"metadataUrl"`
	TargetsURL  string   `json:"targetsUrl"`
	Root        string   `json:"root"`
	State       string   `json:"state"`
	Targets     []string `json:"targets"`
}

type Versions struct {
	Root      int64 `json:"root"`
	Timestamp int64 `json:"timestamp"`
	Snapshot  int64 `json:"snapshot"`
}

type Target struct {
	Path    string `json:"path"`
	Outcome string `json:"outcome"`
	SHA256  string `json:"sha256,omitempty"`
	Error   string `json:"error,omitempty"`
}

// A Session is a client that has refreshed.
type Session interface {
	Versions() (Versions, error)
	// Fetch returns the SHA-256 of the verified bytes, in hex; found is false if no trusted role lists the path.
	Fetch(path string) (sha256 string, found bool, err error)
}

type answer struct {
	OK       bool      `json:"ok"`
	Versions *Versions `json:"versions,omitempty"`
	Targets  []Target  `json:"targets,omitempty"`
	Error    string    `json:"error,omitempty"`
}

// Serve answers each request line on standard input with one line on standard output, until the input ends.
func Serve(refresh func(Request) (Session, error)) {
	lines := bufio.NewReader(os.Stdin)
	answers := json.NewEncoder(os.Stdout)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return
		}
		var request Request
		if err := json.Unmarshal(line, &request); err != nil {
			fmt.Fprintln(os.Stderr, "not a request:", err)
			os.Exit(2)
		}
		if err := answers.Encode(answerTo(request, refresh)); err != nil {
			os.Exit(2)
		}
	}
}

func answerTo(request Request, refresh func(Request) (Session, error)) answer {
	session, err := refresh(request)
	if err != nil {
		return answer{Error: err.Error()}
	}
	versions, err := session.Versions()
	if err != nil {
		return answer{Error: err.Error()}
	}
	targets := make([]Target, 0, len(request.Targets))
	for _, path := range request.Targets {
		targets = append(targets, fetch(session, path))
	}
	return answer{OK: true, Versions: &versions, Targets: targets}
}

func fetch(session Session, path string) Target {
	sha256, found, err := session.Fetch(path)
	switch {
	case err != nil:
		return Target{Path: path, Outcome: "refused", Error: err.Error()}
	case !found:
		return Target{Path: path, Outcome: "absent"}
	default:
		return Target{Path: path, Outcome: "verified", SHA256: sha256}
	}
}
