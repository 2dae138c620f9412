/* golden: reads the small files of named tensors that the scripts of this folder write with
 * golden_io.py, for tests that hold our code against PyTorch's numbers.
 *
 * File (little-endian): "TPGOLD1\n", u32 length + that many bytes of UTF-8 note (script, seed,
 * versions), u32 count, then per tensor: u16 length + name, u8 type (0 float32, 1 uint8,
 * 2 int32), u8 rank, rank x u32 dims, data. Nothing is aligned.
 *
 * Test code: a damaged or missing file or tensor fails the running cmocka test. */
#ifndef TP_TESTS_GOLDEN_H
#define TP_TESTS_GOLDEN_H

#include <stddef.h>
#include <stdint.h>

typedef enum golden_type { GOLDEN_F32, GOLDEN_U8, GOLDEN_I32 } golden_type;

typedef struct golden_tensor {
	char name[64];
	golden_type type;
	size_t rank, dim[6], count;
	union { /* owned by the file, 64-byte aligned */
		float *f32;
		uint8_t *u8;
		int32_t *i32;
	};
} golden_tensor;

typedef struct golden_file {
	char *note;
	size_t count;
	golden_tensor *tensor;
} golden_file;

void golden_open(const char *path, golden_file *ret);
void golden_close(golden_file *f);

/* The tensor of that name, or NULL. */
const golden_tensor *golden_find(const golden_file *f, const char *name);
/* The data of a tensor that must exist with `count` elements; printf-style name. */
const float *golden_f32(const golden_file *f, size_t count, const char *name, ...)
	__attribute__((format(printf, 3, 4)));
const uint8_t *golden_u8(const golden_file *f, size_t count, const char *name, ...)
	__attribute__((format(printf, 3, 4)));
const int32_t *golden_i32(const golden_file *f, size_t count, const char *name, ...)
	__attribute__((format(printf, 3, 4)));

#endif
