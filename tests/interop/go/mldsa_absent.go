//go:build !go1.27

package main

import "errors"

func mldsaVerifier([]byte) (func(msg, sig []byte) bool, error) {
	return nil, errors.New("this Go has no ML-DSA: 1.27 has it")
}
