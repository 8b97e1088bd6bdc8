// The log of a container as the monitor writes it: docker's json-file lines, or those of Kubernetes (CRI), with rotation.
//
// A line longer than 16 KiB is written in pieces, as docker's daemon does; a piece that does not end the line lacks its
// line feed (json-file) or has the tag P (CRI). Included by monitor.c alone.
#ifndef CAISSON_LOG_H
#define CAISSON_LOG_H

enum { LOG_CHUNK = 32768, LOG_LINE = 16384, LOG_OUT = 131072 };
// The longest entry: each byte six times as long, and what surrounds it.
enum { LOG_ENTRY = 6 * LOG_LINE + 128 };

struct log_stream {
    const char *name;
    uint32_t used; // bytes of a line that has not ended
    uint8_t line[LOG_LINE];
};

static struct {
    uint64_t driver, size, limit, files;
    long directory, fd;
    const char *name;
    uint32_t used, time_length;
    uint8_t time[40], out[LOG_OUT];
} logged;

static uint32_t log_decimal(uint8_t *to, uint64_t value, uint32_t width) {
    uint32_t length = 1;
    for (uint64_t rest = value / 10; rest > 0; rest /= 10) length++;
    if (length < width) length = width;
    for (uint32_t i = length; i > 0; value /= 10) to[--i] = (uint8_t)('0' + value % 10);
    return length;
}

static uint32_t log_text(uint8_t *to, const char *text) {
    uint32_t length = 0;
    for (; text[length] != 0; length++) to[length] = (uint8_t)text[length];
    return length;
}

// Years, months and days since 1970 by the calendar whose years begin in March.
static void log_time(void) {
    int64_t time[2] = {0, 0};
    CALL(__NR_clock_gettime, 0, ADDRESS(time)); // CLOCK_REALTIME
    uint64_t days = (uint64_t)time[0] / 86400 + 719468, rest = (uint64_t)time[0] % 86400;
    uint64_t era = days / 146097, day_of_era = days % 146097;
    uint64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    uint64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    uint64_t shifted = (5 * day_of_year + 2) / 153, month = shifted < 10 ? shifted + 3 : shifted - 9;
    const struct {
        uint64_t value;
        uint32_t width;
        char end;
    } part[7] = {{year_of_era + era * 400 + (month <= 2), 4, '-'}, {month, 2, '-'},
                 {day_of_year - (153 * shifted + 2) / 5 + 1, 2, 'T'}, {rest / 3600, 2, ':'},
                 {rest / 60 % 60, 2, ':'}, {rest % 60, 2, '.'}, {(uint64_t)time[1], 9, 'Z'}};
    logged.time_length = 0;
    for (unsigned i = 0; i < 7; i++) {
        logged.time_length += log_decimal(logged.time + logged.time_length, part[i].value, part[i].width);
        logged.time[logged.time_length++] = (uint8_t)part[i].end;
    }
}

// NAME.1 is the youngest of those that are full.
static void log_file_name(uint8_t *to, uint64_t number) {
    uint32_t length = log_text(to, logged.name);
    if (number > 0) {
        to[length++] = '.';
        length += log_decimal(to + length, number, 1);
    }
    to[length] = 0;
}

static void log_create(int flags) {
    logged.fd = CALL(__NR_openat, (uint64_t)logged.directory, ADDRESS(logged.name), (uint64_t)flags | O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0640);
    long size = logged.fd < 0 ? 0 : CALL(__NR_lseek, (uint64_t)logged.fd, 0, SEEK_END);
    logged.size = size < 0 ? 0 : (uint64_t)size;
}

static void log_rotate(void) {
    static uint8_t from[512], to[512];
    for (uint64_t number = logged.files - 1; number > 0; number--) {
        log_file_name(from, number - 1);
        log_file_name(to, number);
        CALL(__NR_renameat2, (uint64_t)logged.directory, ADDRESS(from), (uint64_t)logged.directory, ADDRESS(to), 0);
    }
    CALL(__NR_close, (uint64_t)logged.fd);
    log_create(logged.files <= 1 ? O_TRUNC : 0);
}

// A full disk must not stop the container: what cannot be written is lost, and the next is tried again.
static void log_flush(void) {
    for (uint32_t done = 0; done < logged.used;) {
        long put = CALL(__NR_write, (uint64_t)logged.fd, ADDRESS(logged.out) + done, logged.used - done);
        if (put == -EINTR) continue;
        if (put <= 0) break;
        done += (uint32_t)put;
        logged.size += (uint64_t)put;
    }
    logged.used = 0;
}

static uint32_t log_escape(uint8_t *to, const char *code, uint8_t byte) {
    static const char digit[] = "0123456789abcdef";
    uint32_t length = log_text(to, code);
    if (length == 4) {
        to[length++] = (uint8_t)digit[byte >> 4];
        to[length++] = (uint8_t)digit[byte & 15];
    }
    return length;
}

// Bytes of the character at `from`, 0 when it is no UTF-8 (Unicode 15, table 3-7).
static uint32_t log_utf8(const uint8_t *from, uint32_t left) {
    uint8_t first = from[0], low = 0x80, high = 0xbf;
    uint32_t length = first >= 0xc2 && first <= 0xdf ? 2 : first >= 0xe0 && first <= 0xef ? 3 : first >= 0xf0 && first <= 0xf4 ? 4 : 0;
    if (length == 0 || length > left) return 0;
    if (first == 0xe0) low = 0xa0;
    if (first == 0xed) high = 0x9f;
    if (first == 0xf0) low = 0x90;
    if (first == 0xf4) high = 0x8f;
    if (from[1] < low || from[1] > high) return 0;
    for (uint32_t i = 2; i < length; i++)
        if (from[i] < 0x80 || from[i] > 0xbf) return 0;
    return length;
}

// A JSON string as docker's json-file driver writes it: Go's rules, with <, > and & escaped, too.
static uint32_t log_json(uint8_t *to, const uint8_t *from, uint32_t length) {
    static uint8_t plain[256];
    if (plain['a'] == 0)
        for (unsigned i = 0x20; i < 0x80; i++) plain[i] = i != '"' && i != '\\' && i != '<' && i != '>' && i != '&';
    uint32_t put = 0;
    for (uint32_t i = 0; i < length;) {
        uint8_t byte = from[i];
        if (plain[byte]) {
            to[put++] = byte;
            i++;
            continue;
        }
        uint32_t size = byte < 0x80 ? 1 : log_utf8(from + i, length - i);
        int separator = size == 3 && byte == 0xe2 && from[i + 1] == 0x80 && (from[i + 2] | 1) == 0xa9;
        if (size == 0) put += log_escape(to + put, "\\ufffd", 0), size = 1;
        else if (separator) put += log_escape(to + put, from[i + 2] & 1 ? "\\u2029" : "\\u2028", 0);
        else if (size > 1)
            for (uint32_t j = 0; j < size; j++) to[put++] = from[i + j];
        else if (byte == '\n') put += log_escape(to + put, "\\n", 0);
        else if (byte == '\r') put += log_escape(to + put, "\\r", 0);
        else if (byte == '\t') put += log_escape(to + put, "\\t", 0);
        else if (byte == '"') put += log_escape(to + put, "\\\"", 0);
        else if (byte == '\\') put += log_escape(to + put, "\\\\", 0);
        else put += log_escape(to + put, "\\u00", byte);
        i += size;
    }
    return put;
}

static uint32_t log_copy(uint8_t *to, const uint8_t *from, uint32_t length) {
    for (uint32_t i = 0; i < length; i++) to[i] = from[i];
    return length;
}

// One line, or a piece of one: `whole` says whether a line feed has ended it.
static void log_entry(const struct log_stream *s, const uint8_t *bytes, uint32_t length, int whole) {
    if (logged.used > LOG_OUT - LOG_ENTRY) log_flush();
    uint8_t *out = logged.out + logged.used;
    uint32_t put = 0;
    if (logged.driver == MONITOR_LOG_JSON) {
        put += log_text(out, "{\"log\":\"");
        put += log_json(out + put, bytes, length);
        if (whole) put += log_text(out + put, "\\n");
        put += log_text(out + put, "\",\"stream\":\"");
        put += log_text(out + put, s->name);
        put += log_text(out + put, "\",\"time\":\"");
        put += log_copy(out + put, logged.time, logged.time_length);
        put += log_text(out + put, "\"}\n");
    } else {
        put += log_copy(out, logged.time, logged.time_length);
        out[put++] = ' ';
        put += log_text(out + put, s->name);
        put += log_text(out + put, whole ? " F " : " P ");
        put += log_copy(out + put, bytes, length);
        out[put++] = '\n';
    }
    if (logged.limit > 0 && logged.size + logged.used > 0 && logged.size + logged.used + put > logged.limit) {
        // The entry lies behind what is flushed, and moves to the front.
        log_flush();
        log_rotate();
        log_copy(logged.out, out, put);
    }
    logged.used += put;
}

static uint32_t log_line_end(const uint8_t *bytes, uint32_t length) {
    uint32_t at = 0;
    while (at < length && bytes[at] != '\n') at++;
    return at;
}

// What a stream has said: whole lines are logged, the beginning of another is kept until it goes on.
static void log_write(struct log_stream *s, const uint8_t *bytes, uint32_t length) {
    if (logged.driver == MONITOR_LOG_NONE) return;
    log_time();
    for (uint32_t at = 0; at < length;) {
        uint32_t room = LOG_LINE - s->used, left = length - at;
        uint32_t size = log_line_end(bytes + at, left < room ? left : room);
        int whole = size < left && bytes[at + size] == '\n';
        if (s->used == 0 && (whole || size == LOG_LINE)) {
            log_entry(s, bytes + at, size, whole);
        } else {
            log_copy(s->line + s->used, bytes + at, size);
            s->used += size;
            if (whole || s->used == LOG_LINE) {
                log_entry(s, s->line, s->used, whole);
                s->used = 0;
            }
        }
        at += size + (whole ? 1 : 0);
    }
    log_flush();
}

static void log_end(struct log_stream *s) {
    if (s->used == 0 || logged.driver == MONITOR_LOG_NONE) return;
    log_time();
    log_entry(s, s->line, s->used, 0);
    s->used = 0;
    log_flush();
}

static void log_open(const struct monitor_config *config, long directory, const char *name) {
    logged.driver = config->log_driver;
    logged.limit = config->log_size;
    logged.files = config->log_files;
    logged.directory = directory;
    logged.name = name;
    if (logged.driver != MONITOR_LOG_NONE) log_create(0);
}
#endif
