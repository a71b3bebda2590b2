// The entries of a list of outside hosts: what each is about, and what is none.
import { describe, expect, test } from 'vitest';
import { must } from '../kit/result.ts';
import { isMatch, parseExternalPattern } from './external-pattern.ts';
import { parseExternalOrigin } from './origin.ts';

const matches = (pattern: string, url: string) =>
  isMatch(must(parseExternalPattern(pattern)), must(parseExternalOrigin(url)));

describe('an entry', () => {
  test.each([
    ['api.example.com', ['https://api.example.com', 'http://api.example.com', 'https://API.example.com.']],
    ['API.Example.com:8443', ['https://api.example.com:8443', 'http://api.example.com:8443']],
    ['*.example.com', ['https://a.example.com', 'https://a.b.example.com']],
    ['10.0.0.7:8080', ['http://10.0.0.7:8080']],
    ['[::1]:8080', ['http://[::1]:8080']],
    ['*', ['https://a.example', 'http://a.example', 'https://1.2.3.4']],
    ['*:8443', ['https://a.example:8443']],
  ])('%s is about %j', (pattern, urls) => {
    for (const url of urls) expect([url, matches(pattern, url)]).toEqual([url, true]);
  });

  test.each([
    [
      'api.example.com',
      ['https://api.example.com:8443', 'http://api.example.com:443', 'https://xapi.example.com', 'https://example.com'],
    ],
    ['*.example.com', ['https://example.com', 'https://badexample.com', 'https://a.example.com:444']],
    ['*', ['https://a.example:8443', 'http://a.example:443']],
    ['10.0.0.7', ['https://10.0.0.70']],
  ])('%s is not about %j', (pattern, urls) => {
    for (const url of urls) expect([url, matches(pattern, url)]).toEqual([url, false]);
  });

  test.each([
    ['*.com', 'is too wide'],
    ['*.10.0.0.7', 'is too wide'],
    ['a.*.example', 'is no host name'],
    ['https://example.com', 'host:port alone'],
    ['*example.com', 'is no host name'],
    ['', 'is no host name'],
    ['0x7f.1', 'no IPv4 address'],
    ['10.0.0.0/8', 'host:port alone'],
  ])('%s is none', (pattern, words) => {
    const parsed = parseExternalPattern(pattern);
    expect(parsed.ok ? 'taken' : parsed.error).toContain(words);
  });
});
