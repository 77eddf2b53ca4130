module tuffet.test/protocol

go 1.21
