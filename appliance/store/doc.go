// Package store keeps the house in one SQLite file. It is the only place with SQL.
package store
