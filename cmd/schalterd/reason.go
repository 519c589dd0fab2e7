package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"syscall"

	"schalter/appliance"
)

// reason says why the daemon did not start or broke down. Who reads it runs a town hall's box, not this program: first one
// sentence about what is to be done, then the error itself for those who help.
func reason(err error) string {
	advice := adviceOnCode(err)
	if advice == "" {
		advice = adviceOnSystem(err)
	}
	if advice == "" {
		return err.Error()
	}
	return advice + "\n(" + err.Error() + ")"
}

// adviceOnCode is about the database.
func adviceOnCode(err error) string {
	var refusal *appliance.Error
	if !errors.As(err, &refusal) {
		return ""
	}
	switch refusal.Code {
	case "newer-schema":
		return "Die Datenbank stammt von einem neueren Programm. Starten Sie das neuere, oder spielen Sie eine Sicherung ein, die dieses geschrieben hat."
	case "foreign-database":
		return "Die Datenbank in diesem Verzeichnis gehört zu einem anderen Programm. Wählen Sie mit --data ein anderes Verzeichnis."
	case "disk-full":
		return "Auf dem Datenträger ist kein Platz mehr. Schaffen Sie Platz, und starten Sie noch einmal."
	case "store-failed":
		return "Die Datenbank lässt sich nicht lesen oder schreiben. Prüfen Sie den Datenträger, oder spielen Sie die letzte Sicherung ein."
	}
	return ""
}

// adviceOnSystem is about files and names. The sockets have theirs from bindHint.
func adviceOnSystem(err error) string {
	var name *net.DNSError
	if errors.As(err, &name) {
		return fmt.Sprintf("Den Namen %s aus --listen kennt niemand.", name.Name)
	}
	var file *fs.PathError
	if !errors.As(err, &file) {
		return ""
	}
	switch {
	case errors.Is(file, syscall.ENOSPC), errors.Is(file, syscall.EDQUOT):
		return "Auf dem Datenträger ist kein Platz mehr. Schaffen Sie Platz, und starten Sie noch einmal."
	case errors.Is(file, fs.ErrPermission):
		return fmt.Sprintf("Dieses Konto darf %s nicht lesen oder schreiben.", file.Path)
	case errors.Is(file, syscall.EROFS):
		return fmt.Sprintf("%s liegt auf einem schreibgeschützten Datenträger.", file.Path)
	case errors.Is(file, syscall.ENOTDIR):
		return fmt.Sprintf("%s ist kein Verzeichnis oder liegt in keinem.", file.Path)
	case errors.Is(file, fs.ErrNotExist):
		return fmt.Sprintf("%s gibt es nicht und lässt sich hier nicht anlegen.", file.Path)
	}
	return ""
}
