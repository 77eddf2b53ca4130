module tuffet.test/go-tuf-v0

go 1.21

require (
	github.com/theupdateframework/go-tuf v0.7.0
	tuffet.test/protocol v0.0.0
)

require github.com/secure-systems-lab/go-securesystemslib v0.7.0 // indirect

replace tuffet.test/protocol => ../go-protocol
