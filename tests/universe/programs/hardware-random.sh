# Random numbers from the processor, by the C++ library and directly.
# needs: g++
# build: g++ -O2 -o "$OUT/hardware_random" "$SOURCES/hardware_random.cc"
# compare: none
"$OUT/hardware_random" | tee first
"$OUT/hardware_random" >second
! cmp -s first second
