-- `millpond verify` walks the letters in the order of their topic, a page at a time.
CREATE INDEX dead_letters_letter ON dead_letters (letter_partition, letter_offset) WHERE origin = 'processor';
