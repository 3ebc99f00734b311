// Which sources the kernels were compiled from: code that expects others must not call them.
#define TEXT_OF(word) #word
#define TEXT(word) TEXT_OF(word)

// Digest of the files of this folder, see build.sh.
extern "C" const char *siamtrt_sources()
{
    return TEXT(SIAMTRT_SOURCES);
}
