//go:build go1.27

package main

import "crypto/mldsa"

func mldsaVerifier(public []byte) (func(msg, sig []byte) bool, error) {
	key, err := mldsa.NewPublicKey(mldsa.MLDSA44(), public)
	if err != nil {
		return nil, err
	}
	return func(msg, sig []byte) bool { return mldsa.Verify(key, msg, sig, nil) == nil }, nil
}
