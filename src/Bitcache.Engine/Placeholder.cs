namespace Bitcache.Engine;
