echo "OUTPUT:{\"arg\":\"$1\",\"sees\":\"$(cat data.txt)\"}"
