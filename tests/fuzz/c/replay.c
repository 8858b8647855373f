/*
 * replay.c - runs a fuzz target on files, where there is no libFuzzer.
 *
 *   replay-TARGET FILE ...    names each file before it runs, so that a crash says which it was
 */
#include "target.h"

static void run(const char *path)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data;
    long size;

    if (file == NULL || fseek(file, 0, SEEK_END) != 0 || (size = ftell(file)) < 0) {
        perror(path);
        exit(2);
    }
    rewind(file);
    /* Exactly as long as the input, so that the first byte read beyond it is seen. */
    data = malloc((size_t)size ? (size_t)size : 1);
    if (data == NULL || fread(data, 1, (size_t)size, file) != (size_t)size) {
        perror(path);
        exit(2);
    }
    fclose(file);
    LLVMFuzzerTestOneInput(data, (size_t)size);
    free(data);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        printf("%s\n", argv[i]);
        fflush(stdout);
        run(argv[i]);
    }
    return 0;
}
